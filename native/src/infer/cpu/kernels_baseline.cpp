#include "infer/cpu/vector_kernels.h"

namespace stainfold::cpu {

// Four lanes are in every machine that LibTorch runs on.
const Kernels* baseline_kernels() {
#ifdef __aarch64__
  static constexpr Kernels kernels = Vectorised<4, 12>::table("neon");
#else
  static constexpr Kernels kernels = Vectorised<4, 6>::table("baseline");
#endif
  return &kernels;
}

}  // namespace stainfold::cpu
