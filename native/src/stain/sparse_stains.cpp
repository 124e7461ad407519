#include "stain/sparse_stains.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <cmath>

#include "core/checks.h"
#include "core/interrupt.h"
#include "stain/stained_pixels.h"

namespace stainfold {
namespace {

// The prices of the reference implementations: to learn the stains, and to measure them.
constexpr double kLearningPrice = 0.1;
constexpr double kMeasuringPrice = 0.01;
// From Ruifrok's matrix the angles rest after 20 to 50.
constexpr int kIterations = 50;
// The price draws the stains together where every pixel holds both: 12 to 23 degrees on real tiles, 18 in the
// middle, where Macenko's extremes have 13 to 28.
constexpr double kLeastSparseAngle = 5.0;  // degrees

// min over c >= 0 of 1/2 |v - M c|^2 + price (c_1 + c_2), pixel by pixel. Where one of the unconstrained
// solution's parts is negative it is 0, and the other its own projection.
at::Tensor lasso(const at::Tensor& density,  // [B,3,P]
                 const at::Tensor& stains,   // [B,3,2]
                 double price) {             // -> [B,2,P]
  const at::Tensor cosine = (stains.select(2, 0) * stains.select(2, 1)).sum(1, /*keepdim=*/true);  // [B,1]
  const at::Tensor projected = at::bmm(stains.transpose(1, 2), density).sub_(price);               // [B,2,P]
  const at::Tensor first = projected.select(1, 0), second = projected.select(1, 1);
  const at::Tensor scale = (1 - cosine * cosine).clamp_min(1e-6).reciprocal_();
  const at::Tensor one = (first - cosine * second) * scale, other = (second - cosine * first) * scale;
  const at::Tensor no_one = one.lt(0), no_other = other.lt(0);
  return at::stack({at::where(no_other, first, one).masked_fill_(no_one, 0).clamp_min_(0),
                    at::where(no_one, second, other).masked_fill_(no_other, 0).clamp_min_(0)},
                   1);
}

at::Tensor unit(const at::Tensor& vectors, std::int64_t dim) {
  return vectors / vectors.norm(2, dim, /*keepdim=*/true).clamp_min(1e-12);
}

// One pass over the columns of M: each to its own minimum with the other held, then to unit length.
at::Tensor updated(const at::Tensor& stains, const at::Tensor& density, const at::Tensor& amounts) {
  const at::Tensor gram = at::bmm(amounts, amounts.transpose(1, 2));    // [B,2,2]
  const at::Tensor target = at::bmm(density, amounts.transpose(1, 2));  // [B,3,2]
  at::Tensor column[2] = {stains.select(2, 0), stains.select(2, 1)};    // [B,3]
  for (int j = 0; j < 2; ++j) {
    const auto entry = [&](int k) { return gram.select(1, k).select(1, j).unsqueeze(1); };  // [B,1]
    const at::Tensor weight = entry(j);
    const at::Tensor gap = target.select(2, j) - column[0] * entry(0) - column[1] * entry(1);
    const at::Tensor moved = (column[j] + gap / weight.clamp_min(1e-12)).clamp_min_(0);
    // A stain that no pixel holds stays where it is.
    const at::Tensor used = weight.gt(1e-9).logical_and_(at::amax(moved, 1, true).gt(1e-6));
    column[j] = at::where(used, unit(moved, 1), column[j]);
  }
  return at::stack({column[0], column[1]}, 2);
}

}  // namespace

Separation sparse_stains(const at::Tensor& density, std::int64_t sampled_pixels) {
  check_shape(density, "density", {-1, 3, -1, -1});
  const at::NoGradGuard no_grad;
  const at::Tensor grid = sample_grid(density, sampled_pixels);
  // By the mean of the channels, because pure eosin hardly absorbs red.
  const at::Tensor stained = at::mean(grid, 1, /*keepdim=*/true).ge(kStainedDensity);  // [B,1,P]
  const at::Tensor sample = (grid * stained).clamp_min_(0);
  const at::Tensor start = ruifrok_stains(sample.options()).expand({sample.size(0), -1, -1});
  at::Tensor stains = start;
  for (int i = 0; i < kIterations; ++i) {
    check_interrupt();
    stains = updated(stains, sample, lasso(sample, stains, kLearningPrice));
  }
  const at::Tensor redder = stains.select(1, 0).select(1, 0).ge(stains.select(1, 0).select(1, 1));
  stains = at::where(redder.view({-1, 1, 1}), stains, stains.flip({2}));

  const at::Tensor apart =
      (stains.select(2, 0) * stains.select(2, 1)).sum(1).le(std::cos(kLeastSparseAngle * M_PI / 180.0));
  const at::Tensor enough = stained.sum({1, 2}).ge(least_stained(sample.size(2)));
  const at::Tensor estimated = apart.logical_and_(enough);
  const auto code = [&](SeparationStatus status) {
    return at::scalar_tensor(static_cast<std::uint8_t>(status), estimated.options().dtype(at::kByte));
  };
  return {at::where(estimated.view({-1, 1, 1}), stains, start),
          at::where(estimated, code(SeparationStatus::estimated), code(SeparationStatus::fallback))};
}

at::Tensor sparse_concentrations(const at::Tensor& density, const at::Tensor& stains) {
  check_shape(density, "density", {-1, 3, -1, -1});
  check_shape(stains, "stains", {density.size(0), 3, 2});
  return lasso(density.flatten(2), stains, kMeasuringPrice)
      .view({density.size(0), 2, density.size(2), density.size(3)});
}

}  // namespace stainfold
