// Between tiles as bytes and images as a translator's networks see them.
#pragma once

#include <ATen/core/Tensor.h>

namespace stainfold {

at::Tensor image_of(const at::Tensor& tiles);   // [N,H,W,3] uint8 -> [N,3,H,W] float32 in [-1,1]
at::Tensor tiles_of(const at::Tensor& images);  // [N,3,H,W] in [-1,1] -> [N,H,W,3] uint8, rounded

}  // namespace stainfold
