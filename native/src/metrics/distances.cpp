#include "metrics/distances.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <limits>

namespace stainfold::metrics {

std::int64_t default_block_rows(std::int64_t rows) {
  constexpr std::int64_t values_per_block = (32 << 20) / sizeof(double);
  return std::clamp<std::int64_t>(values_per_block / rows, 1, rows);
}

PairwiseDistances::PairwiseDistances(const at::Tensor& z, Distance distance) : distance_(distance) {
  if (distance == Distance::euclidean) {
    // |x|^2 + |y|^2 - 2xy cancels when the cloud lies far from the origin; distances do not depend on the
    // origin.
    points_ = z - z.mean(0);
    squared_norms_ = points_.square().sum(1);
  } else {
    const at::Tensor norms = z.norm(2, 1, /*keepdim=*/true);
    points_ = z / norms.masked_fill(norms == 0, 1.0);
  }
}

at::Tensor PairwiseDistances::block(std::int64_t begin, std::int64_t end) const {
  at::Tensor distances = at::mm(points_.slice(0, begin, end), points_.t());  // [b,N]
  if (distance_ == Distance::euclidean) {
    const at::Tensor scale = squared_norms_.slice(0, begin, end).unsqueeze(1);  // [b,1]
    distances.mul_(-2).add_(scale).add_(squared_norms_);
    // What is left below rounding is not a distance: duplicates are at 0, not at 1e-8 and not at NaN.
    const double noise = 4 * std::numeric_limits<double>::epsilon();
    at::threshold_(distances.sub_(scale, noise).sub_(squared_norms_, noise), 0.0, 0.0);
    distances.sqrt_();
  } else {
    distances.neg_().add_(1).clamp_(0, 2);
  }
  distances.diagonal(begin).zero_();
  return distances;
}

}  // namespace stainfold::metrics
