#include <ATen/ATen.h>

#include "core/checks.h"
#include "infer/tissue_features.h"
#include "stain/optical_density.h"
#include "stainfold/outliers.h"

namespace stainfold {
namespace {

constexpr int kOctaves = 4;            // Haar bands of 1, 2, 4 and 8 pixels
constexpr double kLeastEnergy = 1e-5;  // of a band: below it is the rounding of 8 bits
constexpr double kRidge = 1e-3;        // of the colour map, relative to the drawn tile's variance
constexpr double kPlace = 8;           // side of a place, pixels
constexpr double kWorstShare = 1.0 / 16;

// Inverse of symmetric 3 x 3 matrices by cofactors: exact enough after the ridge, and no synchronisation.
at::Tensor inverse3(const at::Tensor& a) {  // [N,3,3]
  const at::Tensor r0 = a.select(1, 0), r1 = a.select(1, 1), r2 = a.select(1, 2);
  const at::Tensor c0 = at::linalg_cross(r1, r2), c1 = at::linalg_cross(r2, r0),
                   c2 = at::linalg_cross(r0, r1);
  return at::stack({c0, c1, c2}, 2) / (r0 * c0).sum(1).view({-1, 1, 1});
}

at::Tensor planes_density(const at::Tensor& pixels) {  // [0,1] -> >= 0
  return optical_density(pixels.to(at::kFloat) * 255.0).clamp_min_(0);
}

at::Tensor energy(const at::Tensor& x) { return x.square().mean({1, 2, 3}); }

}  // namespace

at::Tensor outlier_features(const at::Tensor& z, const at::Tensor& pixels, const at::Tensor& drawn) {
  check_shape(pixels, "pixels", {z.size(0), 3, -1, -1});
  check_shape(drawn, "drawn", {z.size(0), 3, pixels.size(2), pixels.size(3)});
  const std::int64_t count = pixels.size(0), side = pixels.size(2), area = side * pixels.size(3);
  check_option(side % 32 == 0 && pixels.size(3) % 32 == 0, "the tiles' sides must be multiples of 32");

  const at::Tensor density = planes_density(pixels).flatten(2), ours = planes_density(drawn).flatten(2);
  const at::Tensor mean = density.mean(2);                 // [N,3]
  const at::Tensor centred = density - mean.unsqueeze(2);  // [N,3,P]
  const at::Tensor predictor = ours - ours.mean(2, /*keepdim=*/true);
  const double each = 1.0 / static_cast<double>(area);

  // The affine map of colours that predicts the tile from the drawn one, by ridge regression.
  const at::Tensor gram = at::bmm(predictor, predictor.transpose(1, 2)) * each;
  const at::Tensor cross = at::bmm(centred, predictor.transpose(1, 2)) * each;
  const at::Tensor trace = gram.diagonal(0, 1, 2).sum(1).view({-1, 1, 1}) * (kRidge / 3);
  const at::Tensor map = at::bmm(cross, inverse3(gram + (trace + kLeastEnergy) * at::eye(3, gram.options())));
  at::Tensor rest = (centred - at::bmm(map, predictor)).view({count, 3, side, -1});

  std::vector<at::Tensor> columns{z.to(at::kFloat)};
  const auto add_energy = [&](const at::Tensor& value, double least) {
    columns.push_back((value + least).log_().unsqueeze(1));
  };
  for (int octave = 0; octave < kOctaves; ++octave) {
    const at::Tensor coarser = at::avg_pool2d(rest, {2, 2});
    add_energy(energy(rest) - energy(coarser), kLeastEnergy);  // Haar: the bands' energies add up
    rest = coarser;
  }
  add_energy(energy(rest), kLeastEnergy);

  // The same for the total density with one slope, and its worst places: folds and strokes are local.
  const at::Tensor total = centred.sum(1), ours_total = predictor.sum(1);  // [N,P]
  const at::Tensor slope = (total * ours_total).mean(1, true) / (ours_total.square().mean(1, true) + kRidge);
  const at::Tensor unexplained = (total - slope * ours_total).view({count, 1, side, -1});
  const auto place = static_cast<std::int64_t>(kPlace);
  const at::Tensor places = at::avg_pool2d(unexplained, {place, place}).flatten(1).square();
  const auto worst =
      std::max<std::int64_t>(1, static_cast<std::int64_t>(static_cast<double>(places.size(1)) * kWorstShare));
  add_energy(std::get<0>(places.topk(worst, 1)).mean(1), kRidge);
  add_energy(energy(unexplained), kRidge);

  columns.push_back(tissue_features(pixels));
  return at::cat(columns, 1);
}

}  // namespace stainfold
