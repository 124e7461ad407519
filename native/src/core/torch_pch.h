// The one precompiled header: LibTorch's C++ front end costs about half a minute to parse, once instead of
// per file. Files still include what they use, so that each compiles without it.
#pragma once
#include <torch/torch.h>
