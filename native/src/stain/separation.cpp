#include "stain/separation.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <cmath>

#include "core/checks.h"
#include "stain/optical_density.h"
#include "stain/stained_pixels.h"

namespace stainfold {
namespace {

constexpr double kExtreme = 0.01;  // Macenko's alpha: the stains are the 1st and 99th percentile of angle

// Mean density of a tile that shows only glass, at grey level 235 or brighter.
constexpr double kBlankDensity = 0.02;

// The two stains of real tiles lie 15 to 26 degrees apart (medians of six sites). A tile of one stain gives
// two vectors of that stain, and M^+ would turn its noise into colour. Neither brightens a channel.
constexpr double kLeastAngle = 10.0 * M_PI / 180.0;

// The principal plane of each tile's stained pixels: axis 0 its second direction, axis 1 its first, turned to
// the side that the pixels are on, so that their angles do not wrap.
at::Tensor principal_plane(const at::Tensor& density,   // [B,3,P] float64
                           const at::Tensor& stained,   // [B,1,P] float64, 0 or 1
                           const at::Tensor& pixels) {  // [B,1] float64, number of stained ones, >= 1
  const at::Tensor mean = at::sum(density * stained, 2) / pixels;
  const at::Tensor centred = (density - mean.unsqueeze(2)).mul_(stained);
  const at::Tensor covariance =
      at::bmm(centred, centred.transpose(1, 2)) / (pixels - 1).clamp_min(1).unsqueeze(2);
  // 3 x 3 problems are solved on the host whatever the device: cheaper than a cuSOLVER call, and the same
  // digits everywhere.
  const at::Tensor vectors = std::get<1>(at::linalg_eigh(covariance.cpu())).to(density.device());
  const at::Tensor plane = vectors.slice(2, 1, 3);  // ascending eigenvalues: the last two
  const at::Tensor side = at::bmm(mean.unsqueeze(1), plane).sign_();
  return plane * at::where(side == 0, 1.0, side);  // [B,3,2]
}

// The nearest-rank percentile `kExtreme` from either end of the stained pixels' values.
std::pair<at::Tensor, at::Tensor> extremes(const at::Tensor& values,    // [B,P]
                                           const at::Tensor& stained,   // [B,P] bool
                                           const at::Tensor& pixels) {  // [B,1] float64
  const at::Tensor rank = (pixels - 1).mul_(kExtreme).round_().to(at::kLong);
  const std::int64_t deepest = std::llround(kExtreme * static_cast<double>(values.size(1) - 1)) + 1;
  const auto end = [&](bool largest) {
    const double outside = largest ? -INFINITY : INFINITY;
    const at::Tensor sorted =
        std::get<0>(at::where(stained, values, outside).topk(deepest, /*dim=*/1, largest, /*sorted=*/true));
    return sorted.gather(1, rank);
  };
  return {end(false), end(true)};  // [B,1] each
}

}  // namespace

at::Tensor ruifrok_stains(const at::TensorOptions& options) {
  static constexpr double kVectors[3][2] = {{0.65, 0.07}, {0.70, 0.99}, {0.29, 0.11}};
  const at::Tensor stains =
      at::from_blob(const_cast<double*>(&kVectors[0][0]), {3, 2}, at::TensorOptions().dtype(at::kDouble));
  return (stains / stains.norm(2, 0, /*keepdim=*/true)).to(options);
}

Separation separate_stains(const at::Tensor& density, std::int64_t sampled_pixels) {
  check_dtype(density, "density", {at::kFloat, at::kDouble});
  check_shape(density, "density", {-1, 3, -1, -1});
  check_option(sampled_pixels >= 1, "sampled_pixels must be >= 1, got " + std::to_string(sampled_pixels));
  const at::NoGradGuard no_grad;

  const at::Tensor sample = sample_grid(density, sampled_pixels).to(at::kDouble);  // [B,3,P]
  const at::Tensor stained = at::amin(sample, 1).ge(kStainedDensity);              // [B,P]
  const at::Tensor counted = stained.sum(1, /*keepdim=*/true).to(at::kDouble);     // [B,1]
  const at::Tensor pixels = counted.clamp_min(1);

  const at::Tensor plane = principal_plane(sample, stained.unsqueeze(1).to(at::kDouble), pixels);
  const at::Tensor projected = at::bmm(plane.transpose(1, 2), sample);  // [B,2,P]
  const at::Tensor angle = at::atan2(projected.select(1, 1), projected.select(1, 0));
  const auto [low, high] = extremes(angle, stained, pixels);
  const auto direction = [&](const at::Tensor& phi) {  // [B,1] -> [B,3]
    return at::bmm(plane, at::stack({phi.cos(), phi.sin()}, 1)).squeeze(2);
  };
  const at::Tensor one = direction(low), other = direction(high);
  // Haematoxylin absorbs more red than eosin does.
  const at::Tensor redder = one.slice(1, 0, 1).gt(other.slice(1, 0, 1));
  const at::Tensor estimate =
      at::stack({at::where(redder, one, other), at::where(redder, other, one)}, 2);  // [B,3,2]

  // An unstained tile's angles are infinite and its estimate NaN: every comparison below is then false.
  const at::Tensor usable = counted.squeeze(1)
                                .ge(least_stained(sample.size(2)))
                                .logical_and_(at::amin(estimate, {1, 2}).ge(0))
                                .logical_and_((high - low).squeeze(1).ge(kLeastAngle));
  const at::Tensor blank = sample.clamp_min(0).mean({1, 2}).lt(kBlankDensity);
  const at::Tensor estimated = usable.logical_and(blank.logical_not());

  Separation result;
  result.stains =
      at::where(estimated.view({-1, 1, 1}), estimate, ruifrok_stains(estimate.options())).to(at::kFloat);
  const auto code = [&](SeparationStatus status) {
    return at::scalar_tensor(static_cast<std::uint8_t>(status), estimated.options().dtype(at::kByte));
  };
  result.status =
      at::where(blank, code(SeparationStatus::blank),
                at::where(estimated, code(SeparationStatus::estimated), code(SeparationStatus::fallback)));
  return result;
}

at::Tensor pseudo_inverse(const at::Tensor& stains) {
  check_shape(stains, "stains", {-1, 3, 2});
  // (M^T M)^-1 of unit columns with cosine c is [[1,-c],[-c,1]] / (1-c^2); written out for any length.
  const at::Tensor h = stains.select(2, 0), e = stains.select(2, 1);  // [B,3]
  const at::Tensor hh = (h * h).sum(1, true), ee = (e * e).sum(1, true), he = (h * e).sum(1, true);
  return at::stack({ee * h - he * e, hh * e - he * h}, 1) / (hh * ee - he * he).unsqueeze(2);
}

at::Tensor concentrations(const at::Tensor& density, const at::Tensor& stains) {
  check_shape(density, "density", {-1, 3, -1, -1});
  check_shape(stains, "stains", {density.size(0), 3, 2});
  return at::bmm(pseudo_inverse(stains), density.flatten(2))
      .view({density.size(0), 2, density.size(2), density.size(3)});
}

at::Tensor peak_concentrations(const at::Tensor& concentrations) {
  check_shape(concentrations, "concentrations", {-1, -1, -1, -1});
  const at::Tensor values = concentrations.flatten(2);
  // torchstain's rank: 1 + round(0.99 (n - 1)), kthvalue counting from 1.
  const std::int64_t rank =
      1 + static_cast<std::int64_t>(std::nearbyint((1 - kExtreme) * static_cast<double>(values.size(2) - 1)));
  return std::get<0>(values.kthvalue(rank, 2));
}

}  // namespace stainfold
