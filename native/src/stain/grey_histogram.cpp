#include "stain/grey_histogram.h"

#include <ATen/ATen.h>

#include <optional>

namespace stainfold {

at::Tensor grey_histogram(const at::Tensor& tiles, const at::Tensor& counted) {
  const std::int64_t batch = tiles.size(0), bins = batch * 3 * 256;
  const at::Tensor bin =
      tiles.to(at::kInt)
          .add_(at::arange(3, tiles.options().dtype(at::kInt)) * 256)
          .add_(at::arange(batch, tiles.options().dtype(at::kInt)).view({-1, 1, 1, 1}) * (3 * 256));
  const at::Tensor index = bin.flatten().to(at::kLong);
  const at::Tensor weight =
      counted.defined() ? counted.unsqueeze(3).expand_as(tiles).flatten().to(at::kLong) : at::Tensor();
  // bincount on a GPU asks the host for the largest value: index_add_ does not.
  const at::Tensor counts =
      tiles.is_cpu() ? at::bincount(index, weight.defined() ? std::optional(weight) : std::nullopt, bins)
                     : at::zeros({bins}, index.options())
                           .index_add_(0, index, weight.defined() ? weight : at::ones_like(index));
  const at::Tensor shares = counts.view({batch, 3, 256}).to(at::kDouble);
  if (!counted.defined()) return shares / static_cast<double>(tiles.size(1) * tiles.size(2));
  return shares / shares.sum(2, /*keepdim=*/true).clamp_min(1);
}

at::Tensor matching_levels(const at::Tensor& histogram, const at::Tensor& reference) {
  // Sums in another order differ in the last digits: a share that both have must not fall between two levels.
  const auto shares = [](const at::Tensor& counts) { return counts.cumsum(-1).mul_(1e12).round_(); };
  const at::Tensor wanted = shares(histogram).transpose(0, 1).flatten(1);  // [3,B*256]
  const at::Tensor has = shares(reference);                                // [3,256]
  // The first level that reaches a share is one that the reference has: its cumulated share rises there.
  const auto reaching = [&](const at::Tensor& share) { return at::searchsorted(has, share).clamp_max_(255); };
  const at::Tensor above = reaching(wanted.contiguous());
  const at::Tensor share_below = has.gather(1, (above - 1).clamp_min_(0));
  const at::Tensor below = reaching(share_below.contiguous());
  const at::Tensor share_above = has.gather(1, above);
  const at::Tensor part = ((wanted - share_below) / (share_above - share_below).clamp_min(1)).clamp_(0, 1);
  // Below the darkest level that the reference has there is nothing to interpolate with.
  const at::Tensor darkest = share_below.le(0).logical_or_(above.eq(0));
  const at::Tensor level = at::where(darkest, above.to(at::kDouble), below + part * (above - below));
  return level.view({3, histogram.size(0), 256}).transpose(0, 1);
}

}  // namespace stainfold
