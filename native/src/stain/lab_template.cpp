#include "stain/lab_template.h"

#include <ATen/ATen.h>

#include "core/checks.h"
#include "stain/cielab.h"

namespace stainfold {
namespace {

constexpr double kMostContrast = 5.0;
constexpr double kLeastDeviation = 1e-3;
// Mean lightness of a tile that shows only glass.
constexpr double kBlankLightness = 95.0;

}  // namespace

at::Tensor to_lab_template(const at::Tensor& pixels, const at::Tensor& target) {
  const std::int64_t views = target.size(0) / pixels.size(0);
  const at::Tensor lab = cielab_of_srgb(pixels), flat = lab.flatten(2);
  const at::Tensor mean = flat.mean(2);                                               // [B,3]
  const at::Tensor deviation = (flat - mean.unsqueeze(2)).square_().mean(2).sqrt_();  // [B,3]
  const at::Tensor scale =
      (target.narrow(1, 3, 3).clamp_min(0) / deviation.clamp_min(kLeastDeviation).repeat({views, 1}))
          .clamp_(1 / kMostContrast, kMostContrast);  // [V,3]
  const auto wide = [](const at::Tensor& values) { return values.view({-1, 3, 1, 1}); };
  const at::Tensor centred = (lab - wide(mean)).repeat({views, 1, 1, 1});
  const at::Tensor moved = srgb_of_cielab(centred.mul_(wide(scale)).add_(wide(target.narrow(1, 0, 3))));
  const at::Tensor blank =
      mean.select(1, 0).gt(kBlankLightness).logical_and(deviation.select(1, 0).lt(3.0)).repeat({views});
  return at::where(blank.view({-1, 1, 1, 1}), pixels.repeat({views, 1, 1, 1}), moved);
}

at::Tensor lab_statistics(const at::Tensor& tiles) {
  check_tiles(tiles);
  const at::Tensor lab = cielab_of_srgb(tiles.permute({0, 3, 1, 2}).to(at::kDouble) / 255).flatten(2);
  const at::Tensor mean = lab.mean(2);
  return at::cat({mean, (lab - mean.unsqueeze(2)).square_().mean(2).sqrt_()}, 1);
}

}  // namespace stainfold
