// A 3x3 convolution of few pixels by many weights, as in the last stage of a large encoder at a small batch:
// one product of matrices forward and two backward. oneDNN reorders the weights for each of its three
// kernels, which here takes as long as their arithmetic.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace stainfold {

// Whether it pays: float32 on the CPU, channels last, both.
bool has_few_pixels(const at::Tensor& x,       // [N,in,H,W]
                    const at::Tensor& weight,  // [out,in,kernel,kernel]
                    std::int64_t stride);

// conv2d(x, weight) padded by 1. Differentiable once.
at::Tensor convolve_few_pixels(const at::Tensor& x,       // [N,in,H,W]
                               const at::Tensor& weight,  // [out,in,3,3], channels last
                               std::int64_t stride);      // -> [N,out,ceil(H/stride),ceil(W/stride)]

}  // namespace stainfold
