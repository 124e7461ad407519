#include "stainfold/outliers.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <array>
#include <limits>
#include <tuple>

#include "core/checks.h"
#include "models/weights.h"

namespace stainfold {
namespace {

constexpr std::int64_t kFolds = 3;         // of tiles: each is scored with what the others give
constexpr double kLimit = 0.99;            // the percentile that is a score of 1
constexpr double kLeastDeviation = 1e-6;   // of a column, of a distance
constexpr double kLeastTissue = 1.0 / 16;  // share of stained places below which there is nothing to judge
constexpr double kMostPadding = 0.02;      // share of the tile
constexpr std::int64_t kLeastTiles = 2 * kFolds;
constexpr double kNothing = std::numeric_limits<double>::quiet_NaN();

struct Part {
  std::int64_t start, size;
};

// Embedding, structure, stain: the parts that have a distance.
std::array<Part, 3> parts_of(std::int64_t latent) {
  return {{{0, latent}, {latent, kStructureFeatures}, {latent + kStructureFeatures, kStainFeatures}}};
}

std::int64_t measured(std::int64_t latent) { return latent + kStructureFeatures + kStainFeatures; }

at::Tensor select(const at::Tensor& rows, const at::Tensor& mask) {
  return rows.index_select(0, mask.nonzero().squeeze(1));
}

// The tissue of a row, from the back of its columns: density, blur, share of stained places, padding.
at::Tensor tissue_column(const at::Tensor& features, std::int64_t back) {
  return features.select(1, features.size(1) - back);
}
at::Tensor is_judged(const at::Tensor& features) { return tissue_column(features, 2).ge(kLeastTissue); }

at::Tensor whitening_of(const at::Tensor& centred) {
  const at::Tensor factor = at::linalg_cholesky(shrunk_covariance(centred));
  return at::linalg_solve_triangular(factor, at::eye(factor.size(0), factor.options()), /*upper=*/false);
}

// Means, scales and whitenings; the stain's from rows with tissue alone.
OutlierStatistics fit_distances(const at::Tensor& features) {
  const std::int64_t latent = features.size(1) - kOutlierFeatures;
  const at::Tensor judged = is_judged(features);
  const auto parts = parts_of(latent);
  std::array<at::Tensor, 3> mean, scale, whitening;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    at::Tensor rows = features.narrow(1, parts[i].start, parts[i].size);
    // Without any tissue there is nothing to learn, and nothing that will be judged by it.
    if (i == 2 && judged.sum().item<std::int64_t>() > 1) rows = select(rows, judged);
    mean[i] = rows.mean(0);
    scale[i] = rows.std(0, /*unbiased=*/false).clamp_min(kLeastDeviation);
    whitening[i] = whitening_of((rows - mean[i]) / scale[i]);
  }
  OutlierStatistics statistics;
  statistics.mean = at::cat({mean[0], mean[1], mean[2]});
  statistics.scale = at::cat({scale[0], scale[1], scale[2]});
  statistics.latent = whitening[0];
  statistics.structure = whitening[1];
  statistics.stain = whitening[2];
  return statistics;
}

// |W (x - mean) / scale| of each part; density and blur are numbers already.
at::Tensor distances(const OutlierStatistics& statistics, const at::Tensor& given) {  // -> [n,5] float64
  const at::Tensor features = given.to(at::kDouble);
  const std::int64_t latent = features.size(1) - kOutlierFeatures;
  const at::Tensor standard = (features.narrow(1, 0, measured(latent)) - statistics.mean) / statistics.scale;
  const std::array<at::Tensor, 3> whitening{statistics.latent, statistics.structure, statistics.stain};
  const auto parts = parts_of(latent);
  std::vector<at::Tensor> columns;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const at::Tensor part = standard.narrow(1, parts[i].start, parts[i].size);
    columns.push_back(at::matmul(part, whitening[i].t()).norm(2, 1));
  }
  columns.push_back(tissue_column(features, 4));
  columns.push_back(tissue_column(features, 3));
  const at::Tensor blind = is_judged(features).logical_not();
  for (std::size_t i = 2; i < columns.size(); ++i) columns[i] = columns[i].masked_fill(blind, kNothing);
  return at::stack(columns, 1);
}

// Each part in units of its limit, and which is the largest.
std::tuple<at::Tensor, at::Tensor> scores(const OutlierStatistics& statistics, const at::Tensor& distance) {
  const at::Tensor units = (distance - statistics.centre) / (statistics.limit - statistics.centre);
  return at::max(units.masked_fill(units.isnan(), -std::numeric_limits<double>::infinity()), 1);
}

// The tiles without black padding in any rendering; all, where these are fewer than half: then black is no
// padding but the background, as in fluorescence.
at::Tensor usable_rows(const at::Tensor& features, const at::Tensor& tile,
                       std::int64_t tiles) {  // -> [n] bool
  const at::Tensor padding = tissue_column(features, 1);
  const at::Tensor most = at::zeros({tiles}, padding.options()).scatter_reduce(0, tile, padding, "amax");
  const at::Tensor clean = most.lt(kMostPadding);
  const std::int64_t left = clean.sum().item<std::int64_t>();
  return 2 * left < tiles || left < kLeastTiles ? at::ones_like(tile, at::kBool)
                                                : clean.index_select(0, tile);
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

OutlierStatistics fit_outliers(const at::Tensor& given, const at::Tensor& given_tile) {
  check_shape(given, "features", {-1, -1});
  check_shape(given_tile, "tile", {given.size(0)});
  check_option(given.size(1) > kOutlierFeatures,
               "features must hold z and " + std::to_string(kOutlierFeatures) + " more columns");
  const std::int64_t tiles = given_tile.numel() == 0 ? 0 : given_tile.max().item<std::int64_t>() + 1;
  check_option(tiles >= kLeastTiles, "out-of-distribution statistics need at least " +
                                         std::to_string(kLeastTiles) + " tiles, got " +
                                         std::to_string(tiles));
  const at::Tensor usable = usable_rows(given, given_tile, tiles);
  const at::Tensor features = select(given, usable).to(at::kDouble);
  // Folds of the tiles that are left, whatever their numbers.
  const at::Tensor rank = std::get<1>(at::_unique2(select(given_tile, usable), /*sorted=*/true,
                                                   /*return_inverse=*/true));
  const at::Tensor fold = rank.remainder(kFolds);

  std::vector<at::Tensor> held_out;
  for (std::int64_t k = 0; k < kFolds; ++k) {
    const at::Tensor mine = fold.eq(k);
    held_out.push_back(
        distances(fit_distances(select(features, mine.logical_not())), select(features, mine)));
  }
  const at::Tensor distance = at::cat(held_out);

  OutlierStatistics statistics = fit_distances(features);
  // A part that no row was judged by flags nothing.
  const at::Tensor centre = at::nanquantile(distance, 0.5, 0).nan_to_num(0.0);
  const at::Tensor limit = at::nanquantile(distance, kLimit, 0);
  statistics.centre = centre;
  statistics.limit =
      at::maximum(limit, centre + kLeastDeviation).nan_to_num(std::numeric_limits<double>::infinity());
  statistics.calibration = std::get<0>(std::get<0>(scores(statistics, distance)).sort());
  return statistics;
}

at::Tensor score_outliers(const OutlierStatistics& statistics, const at::Tensor& features) {
  check_shape(features, "features", {-1, statistics.latent.size(0) + kOutlierFeatures});
  const at::Tensor distance = distances(statistics, features);
  const auto [score, part] = scores(statistics, distance);
  const std::int64_t n = statistics.calibration.size(0);
  // searchsorted: how many calibration rows are less extreme.
  const at::Tensor less = at::searchsorted(statistics.calibration, score.contiguous());
  const at::Tensor p = (n - less + 1).to(at::kDouble) / static_cast<double>(n + 1);
  return at::cat({distance, at::stack({score, p, part.to(at::kDouble)}, 1)}, 1);
}

std::vector<NamedTensor> to_tensors(const OutlierStatistics& statistics) {
  std::vector<NamedTensor> tensors{
      {"ood.mean", statistics.mean},     {"ood.scale", statistics.scale},
      {"ood.latent", statistics.latent}, {"ood.structure", statistics.structure},
      {"ood.stain", statistics.stain},   {"ood.centre", statistics.centre},
      {"ood.limit", statistics.limit},   {"ood.calibration", statistics.calibration}};
  for (NamedTensor& tensor : tensors) tensor.value = tensor.value.to(at::kCPU, at::kFloat).contiguous();
  return tensors;
}

bool holds_outliers(const std::vector<NamedTensor>& weights) { return has_prefix(weights, "ood.centre"); }

OutlierStatistics outliers_from(const std::vector<NamedTensor>& weights, std::int64_t latent) {
  const std::int64_t features = measured(latent);
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
                                  {"ood.centre", room({kOutlierParts})},
                                  {"ood.limit", room({kOutlierParts})},
                                  {"ood.calibration", room({calibrated})}};
  copy_weights(wanted, weights);
  const auto value = [&](std::size_t i) { return wanted[i].value.to(at::kDouble); };
  return {value(0), value(1), value(2), value(3), value(4), value(5), value(6), value(7)};
}

}  // namespace stainfold
