#include "ops/cuda/bias_activation_launch.h"

#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include <algorithm>

#include "ops/cuda/bias_activation_kernels.cuh"

namespace stainfold::epilogue {
namespace {

// Enough to fill the largest devices a few times over; each thread then takes several packs.
constexpr std::int64_t most_blocks = 4096;

template <typename T>
cudaError_t launch(void* y, const void* bias, const void* residual, std::int64_t pixels,
                   std::int64_t channels, bool relu, cudaStream_t stream) {
  const auto packs_a_pixel = static_cast<std::int32_t>(channels / Pack<T>::size);
  const std::int64_t packs = pixels * packs_a_pixel;
  if (packs == 0) return cudaSuccess;
  const auto blocks =
      static_cast<unsigned>(std::min<std::int64_t>((packs + threads - 1) / threads, most_blocks));
  bias_activation<T>
      <<<blocks, threads, 0, stream>>>(static_cast<Pack<T>*>(y), static_cast<const Pack<T>*>(bias),
                                       static_cast<const Pack<T>*>(residual), packs, packs_a_pixel, relu);
  return cudaGetLastError();
}

}  // namespace

cudaError_t launch_bias_activation(void* y, const void* bias, const void* residual, Element element,
                                   std::int64_t pixels, std::int64_t channels, bool relu,
                                   cudaStream_t stream) {
  switch (element) {
    case Element::float32:
      return launch<float>(y, bias, residual, pixels, channels, relu, stream);
    case Element::float16:
      return launch<__half>(y, bias, residual, pixels, channels, relu, stream);
    case Element::bfloat16:
      return launch<__nv_bfloat16>(y, bias, residual, pixels, channels, relu, stream);
  }
  return cudaErrorInvalidValue;
}

}  // namespace stainfold::epilogue
