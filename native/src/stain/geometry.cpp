#include "stain/geometry.h"

#include <ATen/ATen.h>

#include <cstdint>

#include "stain/device_pixels.h"

namespace stainfold {

at::Tensor apply_symmetry(const at::Tensor& tiles, const at::Tensor& symmetry) {
  if (tiles.is_cuda() && tiles.scalar_type() == at::kByte) return on_cuda::turned(tiles, symmetry);
  const bool square = tiles.size(1) == tiles.size(2);
  at::Tensor result = at::empty_like(tiles, at::MemoryFormat::Contiguous);
  for (std::int64_t kind = 0; kind < 8; ++kind) {
    const at::Tensor index = symmetry.eq(kind).nonzero().squeeze(1).to(tiles.device());
    if (index.numel() == 0) continue;
    at::Tensor some = tiles.index_select(0, index);
    if (kind & 1) some = some.flip(1);
    if (kind & 2) some = some.flip(2);
    if (kind & 4 && square) some = some.transpose(1, 2);
    result.index_copy_(0, index, some);
  }
  return result;
}

}  // namespace stainfold
