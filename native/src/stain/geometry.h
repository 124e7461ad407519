// The eight symmetries of a square, one draw a tile: content, not stain.
#pragma once

#include <ATen/core/Tensor.h>

namespace stainfold {

// symmetry: bits of each tile: 1 flips top and bottom, 2 flips left and right, 4 transposes, in this order.
// Together they are the rotations by 90 degrees and the flips. Tiles that are not square are not transposed.
at::Tensor apply_symmetry(const at::Tensor& tiles,      // [B,H,W,3], any type
                          const at::Tensor& symmetry);  // [B] int64 in [0,8), CPU -> [B,H,W,3]

}  // namespace stainfold
