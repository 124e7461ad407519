#include "preload/waiting.h"

#include <cstdlib>

namespace stainfold::preload {

#ifdef __linux__
ShortWaits::ShortWaits() {
  if (std::getenv("OMP_WAIT_POLICY") || std::getenv("GOMP_SPINCOUNT")) return;
  set_ = setenv("GOMP_SPINCOUNT", "10000", 0) == 0;  // iterations, each a pause instruction
}

ShortWaits::~ShortWaits() {
  if (set_) unsetenv("GOMP_SPINCOUNT");
}
#else
ShortWaits::ShortWaits() = default;
ShortWaits::~ShortWaits() = default;
#endif

}  // namespace stainfold::preload
