#include <ATen/ops/arange.h>
#include <ATen/ops/constant_pad_nd.h>
#include <ATen/ops/where.h>

#include "core/checks.h"
#include "ops/precision.h"
#include "stainfold/losses.h"

namespace stainfold {

at::Tensor scatter_ratio(const at::Tensor& z, std::int64_t tiles) {
  check_shape(z, "z", {-1, -1});
  check_option(tiles >= 1, "tiles must be >= 1, got " + std::to_string(tiles));
  if (z.size(0) < tiles || z.size(1) < 1) {
    throw Error(ErrorCode::shape, "z must have at least one row per tile and one column, got " +
                                      to_string(z.sizes()) + " for " + std::to_string(tiles) + " tiles");
  }
  const ops::WithoutAutocast scope;
  const at::Tensor wide = ops::widen(z, "z");
  const at::Tensor centred = wide - wide.mean(0, true);
  const at::Tensor total = centred.square().sum();

  // [views,tiles,d], the last view padded where it covers only some tiles: sums over views without scattered
  // writes, whose order, and with it the last bit, would vary on CUDA.
  const std::int64_t rows = z.size(0), views = (rows + tiles - 1) / tiles;
  const at::Tensor padded =
      at::constant_pad_nd(centred, {0, 0, 0, views * tiles - rows}).view({views, tiles, z.size(1)});
  const at::Tensor present =
      at::arange(views * tiles, wide.options()).lt(rows).to(wide.scalar_type()).view({views, tiles, 1});
  const at::Tensor tile_means = padded.sum(0, true) / present.sum(0, true);
  const at::Tensor within = ((padded - tile_means) * present).square().sum();

  // Equal rows have no scatter to divide by: the ratio and its gradient are 0. Written so that NaN stays NaN.
  const at::Tensor still = total <= wide.detach().square().sum() * ops::rounding_variance(wide.scalar_type());
  return (within / total.masked_fill(still, 1)).masked_fill(still, 0);
}

}  // namespace stainfold
