#include "stain/separation.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <cmath>

#include "core/checks.h"
#include "core/upload.h"
#include "stain/stain_plane.h"
#include "stain/stained_pixels.h"

namespace stainfold {
namespace {

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
  return upload((stains / stains.norm(2, 0, /*keepdim=*/true)).to(at::typeMetaToScalarType(options.dtype())),
                options.device());
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

  const at::Tensor weight = stained.unsqueeze(1).to(at::kDouble);  // [B,1,P]
  const at::Tensor mean = at::sum(sample * weight, 2) / pixels;    // [B,3]
  const at::Tensor centred = (sample - mean.unsqueeze(2)).mul_(weight);
  const StainedMoments moments = {
      counted, mean, at::bmm(centred, centred.transpose(1, 2)) / (pixels - 1).clamp_min(1).unsqueeze(2),
      sample.clamp_min(0).mean({1, 2}), sample.size(2)};

  const at::Tensor plane = principal_plane(moments);
  const at::Tensor projected = at::bmm(plane.transpose(1, 2), sample);  // [B,2,P]
  const at::Tensor angle = at::atan2(projected.select(1, 1), projected.select(1, 0));
  const auto [low, high] = extremes(angle, stained, pixels);
  return separation_between(moments, plane, low, high);
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

std::int64_t peak_rank(std::int64_t pixels) {
  // torchstain's: round(0.99 (n - 1)).
  return static_cast<std::int64_t>(std::nearbyint((1 - kExtreme) * static_cast<double>(pixels - 1)));
}

at::Tensor peak_concentrations(const at::Tensor& concentrations) {
  check_shape(concentrations, "concentrations", {-1, -1, -1, -1});
  const at::Tensor values = concentrations.flatten(2);
  return std::get<0>(values.kthvalue(peak_rank(values.size(2)) + 1, 2));  // counts from 1
}

}  // namespace stainfold
