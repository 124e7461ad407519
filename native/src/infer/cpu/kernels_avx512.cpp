#include "infer/cpu/vector_kernels.h"

namespace stainfold::cpu {

const Kernels* avx512_kernels() {
#ifdef __AVX512F__
  static constexpr Kernels kernels = Vectorised<16, 14>::table("avx512");
  return __builtin_cpu_supports("avx512f") ? &kernels : nullptr;
#else
  return nullptr;
#endif
}

}  // namespace stainfold::cpu
