// Launches the epilogue of a convolution on a stream: raw pointers and sizes, no LibTorch.
#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>

namespace stainfold::epilogue {

enum class Element { float32, float16, bfloat16 };

// Channels must fill whole packs of 16 bytes.
cudaError_t launch_bias_activation(void* y,               // [pixels,channels]
                                   const void* bias,      // [channels]
                                   const void* residual,  // [pixels,channels] or null
                                   Element element, std::int64_t pixels, std::int64_t channels, bool relu,
                                   cudaStream_t stream);

}  // namespace stainfold::epilogue
