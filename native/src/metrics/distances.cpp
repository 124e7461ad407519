#include "metrics/distances.h"

#include <ATen/ATen.h>

#include <limits>

namespace stainfold::metrics {

Tiling tiling(std::int64_t side) { return side == 0 ? Tiling{} : Tiling{side, side}; }

at::Tensor unit_rows(const at::Tensor& z) {
  const at::Tensor norms = z.norm(2, 1, /*keepdim=*/true);
  return z / norms.masked_fill(norms == 0, 1.0);
}

PairwiseDistances::PairwiseDistances(const at::Tensor& z, Distance distance) : distance_(distance) {
  if (distance == Distance::euclidean) {
    // |x|^2 + |y|^2 - 2xy cancels when the cloud lies far from the origin; distances do not depend on the
    // origin.
    points_ = z - z.mean(0);
    // What is left below rounding is not a distance: duplicates are at 0, not at 1e-8 and not at NaN.
    squared_norms_ = points_.square().sum(1) * (1 - 4 * std::numeric_limits<double>::epsilon());
  } else {
    points_ = unit_rows(z);
  }
}

at::Tensor PairwiseDistances::tile(std::int64_t begin, std::int64_t end, std::int64_t first,
                                   std::int64_t last) const {
  const at::Tensor rows = points_.slice(0, begin, end), columns = points_.slice(0, first, last).t();
  at::Tensor distances;
  if (distance_ == Distance::euclidean) {
    distances = at::addmm(squared_norms_.slice(0, first, last).unsqueeze(0), rows, columns, 1, -2);
    at::threshold_(distances.add_(squared_norms_.slice(0, begin, end).unsqueeze(1)), 0.0, 0.0);
    distances.sqrt_();
  } else {
    distances = at::addmm(at::ones({1, 1}, points_.options()), rows, columns, 1, -1).clamp_(0, 2);
  }
  distances.diagonal(begin - first).zero_();  // empty where the tile does not meet it
  return distances;
}

}  // namespace stainfold::metrics
