#include "infer/cpu/vector_kernels.h"

namespace stainfold::cpu {

const Kernels* avx2_kernels() {
#ifdef __AVX2__
  static constexpr Kernels kernels = Vectorised<8, 6>::table("avx2");
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") ? &kernels : nullptr;
#else
  return nullptr;
#endif
}

}  // namespace stainfold::cpu
