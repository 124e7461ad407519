// What the networks of a translator are made of: convolutions between reflected borders and instance norms.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace stainfold {

// [N,C,H,W] -> [N,C,H+2p,W+2p], the border mirrored without repeating the edge; 0 < p < H, W.
at::Tensor reflect_pad(const at::Tensor& x, std::int64_t padding);

// The same from copies alone. LibTorch's own adds gradients atomically on CUDA, so that two runs differ.
at::Tensor reflect_pad_by_copies(const at::Tensor& x, std::int64_t padding);

// Each channel of each image to mean 0 and deviation 1 over its positions (Ulyanov et al. 2016), without
// scale and shift. There are no running statistics: training and service compute the same.
at::Tensor instance_norm(const at::Tensor& x);  // [N,C,H,W], H W > 1

}  // namespace stainfold
