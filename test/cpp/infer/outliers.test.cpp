#include "stainfold/outliers.h"

#include <ATen/ATen.h>

#include <cmath>

#include "testing.h"

using namespace stainfold;
using namespace stainfold::testing;

namespace {

constexpr std::int64_t kOutlierLatent = 6,
                       kOutlierColumns = kOutlierLatent + kStructureFeatures + kStainFeatures;

// Correlated Gaussian rows.
at::Tensor correlated_rows(std::int64_t rows) {
  at::manual_seed(5);
  const at::Tensor mix = at::randn({kOutlierColumns, kOutlierColumns}) * 0.4 + at::eye(kOutlierColumns);
  return at::matmul(at::randn({rows, kOutlierColumns}), mix) + 2.0;
}

// Ledoit & Wolf 2004, lemma 3.1 to 3.4, sum by sum.
at::Tensor slow_shrunk_covariance(const at::Tensor& rows) {
  const std::int64_t n = rows.size(0), p = rows.size(1);
  const auto x = rows.accessor<double, 2>();
  at::Tensor sample = at::zeros({p, p}, at::kDouble);
  auto s = sample.accessor<double, 2>();
  for (std::int64_t k = 0; k < n; ++k)
    for (std::int64_t i = 0; i < p; ++i)
      for (std::int64_t j = 0; j < p; ++j) s[i][j] += x[k][i] * x[k][j] / static_cast<double>(n);
  double m = 0, d = 0, b = 0;
  for (std::int64_t i = 0; i < p; ++i) m += s[i][i] / static_cast<double>(p);
  for (std::int64_t i = 0; i < p; ++i)
    for (std::int64_t j = 0; j < p; ++j) d += std::pow(s[i][j] - (i == j ? m : 0), 2);
  for (std::int64_t k = 0; k < n; ++k)
    for (std::int64_t i = 0; i < p; ++i)
      for (std::int64_t j = 0; j < p; ++j) b += std::pow(x[k][i] * x[k][j] - s[i][j], 2);
  b = std::min(b / static_cast<double>(n * n), d);
  return (1 - b / d) * sample + (b / d) * m * at::eye(p, at::kDouble);
}

at::Tensor tile_of(std::int64_t rows) { return at::arange(rows, at::kLong); }

}  // namespace

TEST_CASE("the shrunk covariance is Ledoit and Wolf's") {
  for (const std::int64_t rows : {8, 200}) {
    at::Tensor x = correlated_rows(rows).to(at::kDouble);
    x = x - x.mean(0);
    // The floor of 1e-9 on the diagonal is all that differs.
    CHECK(relative_error(shrunk_covariance(x), slow_shrunk_covariance(x)) < 1e-8);
    CHECK(relative_error(at::matmul(x.t(), x) / rows, slow_shrunk_covariance(x)) > 1e-4);  // it does shrink
  }
}

TEST_CASE("p-values of fresh rows of the same kind are uniform, and far rows are flagged in their part") {
  const at::Tensor rows = correlated_rows(9000);
  const OutlierStatistics fitted = fit_outliers(rows.narrow(0, 0, 6000), tile_of(6000));
  CHECK(fitted.calibration.size(0) == 2000);
  const at::Tensor fresh = rows.narrow(0, 6000, 3000);
  const at::Tensor p = score_outliers(fitted, fresh).select(1, 4);
  // Binomial with n = 3000, and as much again from 2000 calibration rows: 4 deviations.
  for (const double level : {0.01, 0.1, 0.5}) {
    const double share = p.lt(level).to(at::kDouble).mean().item<double>();
    CHECK(std::abs(share - level) < 4 * std::sqrt(level * (1 - level) * (1.0 / 3000 + 1.0 / 2000)));
  }
  for (const std::int64_t part : {0, 1, 2}) {
    const std::int64_t column = part == 0 ? 0 : part == 1 ? kOutlierLatent : kOutlierColumns - 1;
    at::Tensor far = fresh.narrow(0, 0, 50).clone();
    far.select(1, column).add_(40);
    const at::Tensor scored = score_outliers(fitted, far),
                     before = score_outliers(fitted, fresh.narrow(0, 0, 50));
    CHECK(scored.select(1, 4).max().item<double>() < 0.001);
    for (const std::int64_t other : {0, 1, 2}) {
      const double moved = (scored - before).select(1, other).abs().max().item<double>();
      if (other == part)
        CHECK(moved > 1);
      else
        CHECK(moved < 1e-9);
    }
  }
}

TEST_CASE("the distance of z is Mahalanobis'") {
  const at::Tensor rows = correlated_rows(300).to(at::kDouble);
  const OutlierStatistics fitted = fit_outliers(rows, tile_of(300));
  const at::Tensor z = (rows.narrow(1, 0, kOutlierLatent) - fitted.mean.narrow(0, 0, kOutlierLatent)) /
                       fitted.scale.narrow(0, 0, kOutlierLatent);
  const at::Tensor fitting = z.index_select(0, tile_of(300).remainder(3).ne(2).nonzero().squeeze(1));
  const at::Tensor expected =
      (at::matmul(z, at::linalg_inv(slow_shrunk_covariance(fitting.contiguous()))) * z).sum(1).sqrt();
  CHECK(relative_error(score_outliers(fitted, rows).select(1, 0), expected) < 1e-7);
}

TEST_CASE("statistics survive their way through a file; misfits and too few tiles are refused") {
  const at::Tensor rows = correlated_rows(90);
  const OutlierStatistics fitted = fit_outliers(rows, tile_of(90));
  const OutlierStatistics read = outliers_from(to_tensors(fitted), kOutlierLatent);
  // float32 in the file
  CHECK(relative_error(score_outliers(read, rows).narrow(1, 0, 4),
                       score_outliers(fitted, rows).narrow(1, 0, 4)) < 1e-5);
  CHECK(code_of([&] { outliers_from(to_tensors(fitted), kOutlierLatent + 1); }) == ErrorCode::weights);
  CHECK(code_of([&] { fit_outliers(rows.narrow(0, 0, 5), tile_of(5)); }) == ErrorCode::option);
}

TEST_CASE("structure ignores an affine change of density and sees what is not one") {
  at::manual_seed(3);
  const at::Tensor drawn = at::rand({2, 3, 32, 32}) * 0.4 + 0.2, z = at::zeros({2, kOutlierLatent});
  const at::Tensor ours = -((drawn * 255 + 1) / 240).log();
  // Another lab: a linear mixture of densities, well inside [0,1].
  const at::Tensor mixing =
      at::tensor({0.7, 0.2, 0.05, 0.1, 0.8, 0.1, 0.0, 0.1, 0.6}, at::kFloat).view({3, 3});
  const at::Tensor density = at::matmul(mixing, ours.flatten(2)).view(ours.sizes()) + 0.05;
  const at::Tensor other = (240 * (-density).exp() - 1) / 255;
  const auto structure = [&](const at::Tensor& pixels) {
    return outlier_features(z, pixels, drawn).narrow(1, kOutlierLatent, 5);
  };
  // Without a residual the bands are at their floor, 1e-5, but for the ridge.
  CHECK(structure(other).max().item<double>() < std::log(3e-5));
  at::Tensor stroke = other.clone();
  stroke.narrow(2, 8, 8).fill_(0.1);
  CHECK(structure(stroke).max().item<double>() > std::log(1e-2));
}

TEST_CASE("features of glass, black and noise are finite") {
  const at::Tensor z = at::zeros({3, kOutlierLatent});
  const at::Tensor pixels = at::stack({at::ones({3, 64, 64}), at::zeros({3, 64, 64}), at::rand({3, 64, 64})});
  CHECK(outlier_features(z, pixels, pixels.flip(0)).isfinite().all().item<bool>());
}
