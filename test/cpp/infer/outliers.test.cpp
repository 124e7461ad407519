#include "stainfold/outliers.h"

#include <ATen/ATen.h>

#include <cmath>

#include "testing.h"

using namespace stainfold;
using namespace stainfold::testing;

namespace {

constexpr std::int64_t kOutlierLatent = 6, kOutlierColumns = kOutlierLatent + kOutlierFeatures;
constexpr std::int64_t kDensityColumn = kOutlierColumns - 4, kBlurColumn = kOutlierColumns - 3,
                       kTissueColumn = kOutlierColumns - 2, kPaddingColumn = kOutlierColumns - 1;
constexpr std::int64_t kScoreColumn = kOutlierParts, kPColumn = kOutlierParts + 1,
                       kPartColumn = kOutlierParts + 2;

// Correlated Gaussian rows of tiles full of tissue, without padding.
at::Tensor correlated_rows(std::int64_t rows) {
  at::manual_seed(5);
  const at::Tensor mix = at::randn({kOutlierColumns, kOutlierColumns}) * 0.4 + at::eye(kOutlierColumns);
  at::Tensor features = at::matmul(at::randn({rows, kOutlierColumns}), mix) + 2.0;
  features.select(1, kTissueColumn).fill_(1);
  features.select(1, kPaddingColumn).fill_(0);
  return features;
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
  CHECK(fitted.calibration.size(0) == 6000);
  const at::Tensor fresh = rows.narrow(0, 6000, 3000);
  const at::Tensor p = score_outliers(fitted, fresh).select(1, kPColumn);
  // Binomial with n = 3000, and half as much again from 6000 calibration rows: 4 deviations.
  for (const double level : {0.01, 0.1, 0.5}) {
    const double share = p.lt(level).to(at::kDouble).mean().item<double>();
    CHECK(std::abs(share - level) < 4 * std::sqrt(level * (1 - level) * (1.0 / 3000 + 1.0 / 6000)));
  }
  const std::vector<std::int64_t> column{0, kOutlierLatent, kDensityColumn - 1, kDensityColumn, kBlurColumn};
  for (std::int64_t part = 0; part < kOutlierParts; ++part) {
    at::Tensor far = fresh.narrow(0, 0, 50).clone();
    far.select(1, column[static_cast<std::size_t>(part)]).add_(40);
    const at::Tensor scored = score_outliers(fitted, far),
                     before = score_outliers(fitted, fresh.narrow(0, 0, 50));
    CHECK(scored.select(1, kPColumn).max().item<double>() < 0.001);
    CHECK(scored.select(1, kPartColumn).eq(static_cast<double>(part)).all().item<bool>());
    for (std::int64_t other = 0; other < kOutlierParts; ++other) {
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
  const at::Tensor expected =
      (at::matmul(z, at::linalg_inv(slow_shrunk_covariance(z.contiguous()))) * z).sum(1).sqrt();
  CHECK(relative_error(score_outliers(fitted, rows).select(1, 0), expected) < 1e-7);
}

TEST_CASE("a row is calibrated by the other tiles' statistics, never by its own") {
  // Few rows in many dimensions: what is fitted on a row finds it near, what isn't finds it far.
  const at::Tensor rows = correlated_rows(45).to(at::kDouble);
  const OutlierStatistics fitted = fit_outliers(rows, tile_of(45));
  const double own = score_outliers(fitted, rows).select(1, 0).median().item<double>();
  CHECK(fitted.centre[0].item<double>() > own);
}

TEST_CASE("without tissue stain, density and blur are not judged; tiles with padding are not known") {
  at::Tensor rows = correlated_rows(900);
  rows.narrow(0, 0, 300).select(1, kTissueColumn).fill_(0.01);
  rows.narrow(0, 0, 300).narrow(1, kDensityColumn, 2).fill_(1e6);
  rows.narrow(0, 300, 30).select(1, kPaddingColumn).fill_(0.3);
  rows.narrow(0, 300, 30).narrow(1, 0, 3).fill_(-500);
  const OutlierStatistics fitted = fit_outliers(rows, tile_of(900));
  CHECK(fitted.calibration.size(0) == 870);
  CHECK(fitted.limit[3].item<double>() < 100);
  const at::Tensor scored = score_outliers(fitted, rows);
  CHECK(scored.narrow(0, 0, 300).narrow(1, 2, 3).isnan().all().item<bool>());
  CHECK(scored.narrow(1, kScoreColumn, 2).isfinite().all().item<bool>());
  CHECK(scored.narrow(0, 300, 30).select(1, kPColumn).max().item<double>() < 0.01);
  // Black that most tiles have is background.
  at::Tensor dark = correlated_rows(90);
  dark.select(1, kPaddingColumn).fill_(0.5);
  CHECK(fit_outliers(dark, tile_of(90)).calibration.size(0) == 90);
  // No tissue anywhere: nothing is judged, nothing breaks.
  at::Tensor glass = correlated_rows(90);
  glass.select(1, kTissueColumn).fill_(0);
  const OutlierStatistics blind = fit_outliers(glass, tile_of(90));
  CHECK(score_outliers(outliers_from(to_tensors(blind), kOutlierLatent), correlated_rows(90))
            .narrow(1, kScoreColumn, 2)
            .isfinite()
            .all()
            .item<bool>());
}

TEST_CASE("statistics survive their way through a file; misfits and too few tiles are refused") {
  const at::Tensor rows = correlated_rows(90);
  const OutlierStatistics fitted = fit_outliers(rows, tile_of(90));
  const OutlierStatistics read = outliers_from(to_tensors(fitted), kOutlierLatent);
  // float32 in the file
  CHECK(relative_error(score_outliers(read, rows).narrow(1, 0, kScoreColumn + 1),
                       score_outliers(fitted, rows).narrow(1, 0, kScoreColumn + 1)) < 1e-5);
  CHECK(code_of([&] { outliers_from(to_tensors(fitted), kOutlierLatent + 1); }) == ErrorCode::weights);
  CHECK(code_of([&] { fit_outliers(rows.narrow(0, 0, 5), tile_of(5)); }) == ErrorCode::option);
  std::vector<NamedTensor> earlier = to_tensors(fitted);
  CHECK(holds_outliers(earlier));
  for (NamedTensor& tensor : earlier)
    if (tensor.name == "ood.centre") tensor.name = "ood.other";
  CHECK(!holds_outliers(earlier));
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

namespace {

// 64 px of two stains: haematoxylin discs on eosin, each place its own amount.
at::Tensor stained_pixels(const std::vector<double>& second, double thick) {
  at::manual_seed(9);
  const at::Tensor amount = at::avg_pool2d(at::rand({1, 2, 128, 128}), {2, 2}).squeeze(0);  // [2,64,64]
  at::Tensor h = amount[0].sub(0.55).clamp_min(0) * 8, e = amount[1] + 0.1;
  h.narrow(0, 0, 16).mul_(thick);
  e.narrow(0, 0, 16).mul_(thick);
  const at::Tensor first = at::tensor({0.65, 0.70, 0.29}, at::kFloat).view({3, 1, 1});
  const at::Tensor other = at::tensor(second, at::kFloat).view({3, 1, 1});
  return ((240 * (-(first * h + other * e)).exp() - 1) / 255).clamp(0, 1).unsqueeze(0);
}

double tissue_of(const at::Tensor& pixels, std::int64_t column) {
  const at::Tensor z = at::zeros({1, kOutlierLatent});
  return outlier_features(z, pixels, pixels)[0][column].item<double>();
}

}  // namespace

TEST_CASE("tissue's numbers see a fold, a blur, another stain, glass and padding") {
  const std::vector<double> eosin{0.07, 0.99, 0.11}, dab{0.27, 0.57, 0.78};
  const at::Tensor clean = stained_pixels(eosin, 1);
  // Three layers on a quarter of the tile: the densest places are three times as dense, in every channel. The
  // middle moves with them, hence less than ln 3.
  const double thicker =
      tissue_of(stained_pixels(eosin, 3), kDensityColumn) - tissue_of(clean, kDensityColumn);
  CHECK(thicker > 0.4);
  CHECK(thicker < std::log(3.0) + 0.1);
  at::Tensor soft = clean;
  for (int i = 0; i < 8; ++i)
    soft = at::avg_pool2d(soft, {3, 3}, {1, 1}, {1, 1}, false, /*count_include_pad=*/false);
  CHECK(tissue_of(soft, kBlurColumn) > tissue_of(clean, kBlurColumn) + 1);
  // Range of red - green is the first stain column: haematoxylin and DAB absorb both alike.
  const std::int64_t stain = kOutlierLatent + kStructureFeatures;
  CHECK(tissue_of(stained_pixels(dab, 1), stain) < tissue_of(clean, stain) - 0.5);
  CHECK(tissue_of(clean, kTissueColumn) > 0.5);
  CHECK(tissue_of(at::full({1, 3, 64, 64}, 0.94), kTissueColumn) == 0);
  at::Tensor framed = clean.clone();
  framed.narrow(3, 0, 16).fill_(0);
  CHECK(tissue_of(framed, kPaddingColumn) == doctest::Approx(0.25));
  CHECK(tissue_of(framed, kTissueColumn) <= 0.75);
}
