// Bias, residual and activation behind a convolution: bound by memory, so every thread moves 16 bytes at a
// time.
//
// Nothing here needs a CUDA header: a test compiles this file for the CPU and runs the kernel as it is.
#pragma once

#include <cstdint>

namespace stainfold::epilogue {

constexpr int threads = 256;

// 16 bytes of activations; channels lie next to one another, so that it never crosses a pixel.
template <typename T>
struct alignas(16) Pack {
  static constexpr int size = 16 / sizeof(T);
  T value[size];
};

template <typename T>
__global__ void bias_activation(Pack<T>* y,               // [packs]
                                const Pack<T>* bias,      // [packs_a_pixel]
                                const Pack<T>* residual,  // [packs] or null
                                std::int64_t packs, std::int32_t packs_a_pixel, bool relu) {
  const std::int64_t step = static_cast<std::int64_t>(gridDim.x) * threads;
  for (std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * threads + threadIdx.x; i < packs; i += step) {
    Pack<T> sums = y[i];
    const Pack<T> shift = bias[i % packs_a_pixel];
    Pack<T> further{};
    if (residual) further = residual[i];
    for (int k = 0; k < Pack<T>::size; ++k) {
      float sum = static_cast<float>(sums.value[k]) + static_cast<float>(shift.value[k]);
      if (residual) sum += static_cast<float>(further.value[k]);
      // Not max(): a NaN must stay one.
      sums.value[k] = static_cast<T>(relu && sum < 0.0f ? 0.0f : sum);
    }
    y[i] = sums;
  }
}

}  // namespace stainfold::epilogue
