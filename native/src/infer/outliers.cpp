#include "stainfold/outliers.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <array>

#include "core/checks.h"
#include "models/weights.h"

namespace stainfold {
namespace {

constexpr std::int64_t kEvery = 3;  // one tile in three calibrates
constexpr double kLimit = 0.99;     // the percentile that is a distance of 1
constexpr double kLeastDeviation = 1e-6;
constexpr std::int64_t kLeastTiles = 2 * kEvery;

struct Part {
  std::int64_t start, size;
};

std::array<Part, 3> parts_of(std::int64_t features) {
  const std::int64_t latent = features - kStructureFeatures - kStainFeatures;
  return {{{0, latent}, {latent, kStructureFeatures}, {latent + kStructureFeatures, kStainFeatures}}};
}

// |W (x - mean) / scale| of each part
at::Tensor distances(const OutlierStatistics& statistics, const at::Tensor& features) {  // -> [n,3] float64
  const at::Tensor standard = (features.to(at::kDouble) - statistics.mean) / statistics.scale;
  const std::array<at::Tensor, 3> whitening{statistics.latent, statistics.structure, statistics.stain};
  const auto parts = parts_of(features.size(1));
  std::vector<at::Tensor> columns;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const at::Tensor part = standard.narrow(1, parts[i].start, parts[i].size);
    columns.push_back(at::matmul(part, whitening[i].t()).norm(2, 1));
  }
  return at::stack(columns, 1);
}

at::Tensor scores(const OutlierStatistics& statistics, const at::Tensor& distance) {
  return at::amax(distance / statistics.limit, 1);
}

at::Tensor whitening_of(const at::Tensor& centred) {
  const at::Tensor factor = at::linalg_cholesky(shrunk_covariance(centred));
  return at::linalg_solve_triangular(factor, at::eye(factor.size(0), factor.options()), /*upper=*/false);
}

}  // namespace

at::Tensor shrunk_covariance(const at::Tensor& centred) {
  check_shape(centred, "centred", {-1, -1});
  const auto rows = static_cast<double>(centred.size(0));
  const std::int64_t p = centred.size(1);
  const at::Tensor sample = at::matmul(centred.t(), centred) / rows;
  const at::Tensor target = at::eye(p, sample.options()) * (sample.trace() / static_cast<double>(p));
  const at::Tensor spread = (sample - target).square().sum();
  const at::Tensor noise =
      centred.square().sum(1).square().sum() / (rows * rows) - sample.square().sum() / rows;
  // A sample that is spherical already has nothing to shrink.
  const at::Tensor share =
      at::where(spread > 0, at::minimum(noise, spread) / spread.clamp_min(1e-300), 0.0).clamp_min(0);
  // The floor keeps constant columns invertible.
  return (1 - share) * sample + share * target + 1e-9 * at::eye(p, sample.options());
}

OutlierStatistics fit_outliers(const at::Tensor& features, const at::Tensor& tile) {
  check_shape(features, "features", {-1, -1});
  check_shape(tile, "tile", {features.size(0)});
  check_option(features.size(1) > kStructureFeatures + kStainFeatures,
               "features must hold z and 16 more columns");
  const at::Tensor calibrates = tile.remainder(kEvery).eq(kEvery - 1);
  const std::int64_t tiles = tile.numel() == 0 ? 0 : tile.max().item<std::int64_t>() + 1;
  check_option(tiles >= kLeastTiles, "out-of-distribution statistics need at least " +
                                         std::to_string(kLeastTiles) + " tiles, got " +
                                         std::to_string(tiles));
  const auto rows = [&](const at::Tensor& mask) {
    return features.index_select(0, mask.nonzero().squeeze(1)).to(at::kDouble);
  };
  const at::Tensor fitted = rows(calibrates.logical_not());

  OutlierStatistics statistics;
  statistics.mean = fitted.mean(0);
  statistics.scale = fitted.std(0, /*unbiased=*/false).clamp_min(kLeastDeviation);
  const at::Tensor standard = (fitted - statistics.mean) / statistics.scale;
  const auto parts = parts_of(features.size(1));
  const auto whiten = [&](const Part& part) {
    return whitening_of(standard.narrow(1, part.start, part.size));
  };
  statistics.latent = whiten(parts[0]);
  statistics.structure = whiten(parts[1]);
  statistics.stain = whiten(parts[2]);
  const at::Tensor distance = distances(statistics, rows(calibrates));
  statistics.limit = at::quantile(distance, kLimit, 0).clamp_min(kLeastDeviation);
  statistics.calibration = std::get<0>(scores(statistics, distance).sort());
  return statistics;
}

at::Tensor score_outliers(const OutlierStatistics& statistics, const at::Tensor& features) {
  check_shape(features, "features", {-1, statistics.mean.size(0)});
  const at::Tensor distance = distances(statistics, features);
  const at::Tensor score = scores(statistics, distance);
  const std::int64_t n = statistics.calibration.size(0);
  // searchsorted: how many calibration rows are less extreme.
  const at::Tensor less = at::searchsorted(statistics.calibration, score.contiguous());
  const at::Tensor p = (n - less + 1).to(at::kDouble) / static_cast<double>(n + 1);
  return at::cat({distance, at::stack({score, p}, 1)}, 1);
}

std::vector<NamedTensor> to_tensors(const OutlierStatistics& statistics) {
  std::vector<NamedTensor> tensors{{"ood.mean", statistics.mean},
                                   {"ood.scale", statistics.scale},
                                   {"ood.latent", statistics.latent},
                                   {"ood.structure", statistics.structure},
                                   {"ood.stain", statistics.stain},
                                   {"ood.limit", statistics.limit},
                                   {"ood.calibration", statistics.calibration}};
  for (NamedTensor& tensor : tensors) tensor.value = tensor.value.to(at::kCPU, at::kFloat).contiguous();
  return tensors;
}

OutlierStatistics outliers_from(const std::vector<NamedTensor>& weights, std::int64_t latent) {
  const std::int64_t features = latent + kStructureFeatures + kStainFeatures;
  std::int64_t calibrated = 0;
  for (const NamedTensor& item : weights) {
    if (item.name == "ood.calibration") calibrated = item.value.numel();
  }
  const auto room = [](at::IntArrayRef shape) { return at::empty(shape, at::kFloat); };
  std::vector<NamedTensor> wanted{{"ood.mean", room({features})},
                                  {"ood.scale", room({features})},
                                  {"ood.latent", room({latent, latent})},
                                  {"ood.structure", room({kStructureFeatures, kStructureFeatures})},
                                  {"ood.stain", room({kStainFeatures, kStainFeatures})},
                                  {"ood.limit", room({3})},
                                  {"ood.calibration", room({calibrated})}};
  copy_weights(wanted, weights);
  const auto value = [&](std::size_t i) { return wanted[i].value.to(at::kDouble); };
  return {value(0), value(1), value(2), value(3), value(4), value(5), value(6)};
}

}  // namespace stainfold
