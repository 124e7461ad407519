#include "stain/tissue_pixels.h"

#include <ATen/ATen.h>

#include "stain/optical_density.h"
#include "stain/stained_density.h"

namespace stainfold {
namespace {

// Half the width of the step, natural optical density: glass is seldom darker than 0.1, pale eosin seldom
// paler than 0.2.
constexpr double kHalfStep = 0.05;

}  // namespace

at::Tensor tissue_weight(const at::Tensor& tiles) {
  const at::Tensor density = optical_density(at::amin(tiles, 3));
  const at::Tensor part = density.sub_(kStainedDensity - kHalfStep).div_(2 * kHalfStep).clamp_(0, 1);
  return part * part * (3 - 2 * part);
}

at::Tensor tissue_over(const at::Tensor& changed, const at::Tensor& tiles) {
  const at::Tensor weight = tissue_weight(tiles).unsqueeze(3);
  return at::lerp(tiles.to(at::kFloat), changed.to(at::kFloat), weight).round_().to(at::kByte);
}

at::Tensor tissue_lab_moments(const at::Tensor& lab, const at::Tensor& tissue) {
  const at::Tensor inside = tissue.to(lab.dtype()).unsqueeze(1);
  const at::Tensor count = inside.sum(2, /*keepdim=*/true, at::kDouble);
  const at::Tensor mean = (lab * inside).sum(2, /*keepdim=*/true, at::kDouble) / count.clamp_min(1);
  const at::Tensor off = (lab - mean.to(lab.dtype())).square_().mul_(inside);
  const at::Tensor variance = off.sum(2, /*keepdim=*/true, at::kDouble) / (count - 1).clamp_min(1);
  return at::cat({mean, variance.sqrt_()}, 1).squeeze(2);
}

}  // namespace stainfold
