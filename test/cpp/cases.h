// doctest, for tests with and without LibTorch, whose headers come first where they come at all.
#pragma once

// LibTorch brings macros of glog's names; ours are doctest's.
#undef CHECK
#undef CHECK_EQ
#undef CHECK_NE
#undef CHECK_LT
#undef CHECK_LE
#undef CHECK_GT
#undef CHECK_GE
#include "vendor/doctest.h"
