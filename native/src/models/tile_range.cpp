#include "models/tile_range.h"

#include <ATen/core/Tensor.h>

namespace stainfold {

at::Tensor image_of(const at::Tensor& tiles) {
  return tiles.permute({0, 3, 1, 2})
      .to(at::kFloat, /*non_blocking=*/false, /*copy=*/false, at::MemoryFormat::Contiguous)
      .div_(127.5)
      .sub_(1.0);
}

at::Tensor tiles_of(const at::Tensor& images) {
  return images.add(1.0)
      .mul_(127.5)
      .round_()
      .clamp_(0.0, 255.0)
      .to(at::kByte)
      .permute({0, 2, 3, 1})
      .contiguous();
}

}  // namespace stainfold
