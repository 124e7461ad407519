// Tissue as a pathologist's eye judges it before any network does: its colours, its darkness, its focus.
#include "infer/tissue_features.h"

#include <ATen/ATen.h>

#include <array>
#include <limits>
#include <vector>

#include "stain/optical_density.h"
#include "stainfold/outliers.h"

namespace stainfold {
namespace {

constexpr std::int64_t kPlacesAcross = 16;  // the tile's side in places
constexpr double kStained = 0.45;           // least sum of a stained place's densities
constexpr double kPaddingGrey = 3.5;        // darker in all channels: the frame of a region, no tissue
constexpr double kPale = 0.15;  // added to sums of density, so that a pale place has a chromaticity
constexpr double kLow = 0.05, kMiddle = 0.5, kHigh = 0.95;  // quantiles over the stained places
constexpr double kLeastRange = 0.02;                        // of a chromaticity
constexpr double kLeastVariance = 1e-5;                     // of a chromaticity; of a band's density
constexpr double kLeastDensity = 0.05;

at::Tensor masked(const at::Tensor& values, const at::Tensor& stained) {
  return values.masked_fill(stained.logical_not(), std::numeric_limits<float>::quiet_NaN());
}

// The logarithms of the two variances of stained places about the tile's own line of colours: along it and,
// what two stains can't explain, across.
at::Tensor colour_spread(const at::Tensor& share, const at::Tensor& stained) {  // [N,3,P], [N,1,P] -> [N,2]
  const at::Tensor weight = stained.to(share.scalar_type());
  const at::Tensor count = weight.sum(2, /*keepdim=*/true).clamp_min(1);  // [N,1,1]
  const at::Tensor red = share.narrow(1, 0, 1), blue = share.narrow(1, 2, 1);
  const auto centred = [&](const at::Tensor& x) { return (x - (x * weight).sum(2, true) / count) * weight; };
  const at::Tensor r = centred(red), b = centred(blue);
  const auto moment = [&](const at::Tensor& x, const at::Tensor& y) {
    return ((x * y).sum(2, true) / count).view({-1});
  };
  const at::Tensor rr = moment(r, r), bb = moment(b, b), rb = moment(r, b);
  const at::Tensor half = (rr + bb) / 2, apart = ((rr - bb).square() / 4 + rb.square()).sqrt();
  return at::stack({(half - apart).clamp_min(0), half + apart}, 1).add(kLeastVariance).log();
}

// log(energy of the density's 4 pixel band / that of its 2 pixel band), Haar: high is out of focus.
at::Tensor softness(const at::Tensor& density) {  // [N,3,S,S] -> [N]
  at::Tensor plane = density.mean(1, /*keepdim=*/true);
  std::array<at::Tensor, 3> energy;
  for (at::Tensor& level : energy) {
    plane = at::avg_pool2d(plane, {2, 2});
    level = plane.square().mean({1, 2, 3});
  }
  const auto band = [&](std::size_t i) { return (energy[i] - energy[i + 1]).clamp_min(0) + kLeastVariance; };
  return (band(1) / band(0)).log();
}

}  // namespace

at::Tensor tissue_features(const at::Tensor& pixels) {
  const std::int64_t count = pixels.size(0), place = pixels.size(2) / kPlacesAcross;
  const at::Tensor grey = pixels.to(at::kFloat) * 255.0;
  const at::Tensor density = optical_density(grey).clamp_min_(0);
  const at::Tensor padding = grey.amax(1, /*keepdim=*/true).lt(kPaddingGrey).to(at::kFloat);  // [N,1,S,S]
  const auto places = [&](const at::Tensor& x) { return at::avg_pool2d(x, {place, place}).flatten(2); };
  const at::Tensor od = places(density), sum = od.sum(1, /*keepdim=*/true);         // [N,3,P], [N,1,P]
  const at::Tensor stained = sum.gt(kStained).logical_and_(places(padding).eq(0));  // [N,1,P]

  // Chromaticities, which no amount of stain changes, and their differences.
  const at::Tensor share = (od + kPale / 3) / (sum + kPale);
  const auto differences = [](const at::Tensor& x) {
    return x.index_select(1, at::tensor({0, 2, 0}, x.options().dtype(at::kLong))) -
           x.index_select(1, at::tensor({1, 1, 2}, x.options().dtype(at::kLong)));
  };
  const at::Tensor values = at::cat({share, differences(share), od, differences(od).abs()}, 1);  // [N,12,P]
  const at::Tensor levels = at::tensor({kLow, kMiddle, kHigh}, values.options());
  const at::Tensor quantile = at::nanquantile(masked(values, stained), levels, 2)
                                  .nan_to_num(0);  // [3,N,12]: 0 where nothing is stained
  const auto at_level = [&](std::int64_t level, std::int64_t first, std::int64_t size) {
    return quantile.select(0, level).narrow(1, first, size);
  };

  const at::Tensor range = (at_level(2, 3, 3) - at_level(0, 3, 3) + kLeastRange).log();
  const at::Tensor thicker =
      ((at_level(2, 6, 6) + kLeastDensity) / (at_level(1, 6, 6) + kLeastDensity)).log().amin(1, true);
  return at::cat({range, at_level(0, 0, 3), at_level(2, 0, 3), colour_spread(share, stained), thicker,
                  softness(density).view({count, 1}), stained.to(at::kFloat).mean(2), padding.mean({2, 3})},
                 1);
}

}  // namespace stainfold
