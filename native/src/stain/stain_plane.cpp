#include "stain/stain_plane.h"

#include <ATen/ATen.h>

#include <cmath>

#include "stain/device_pixels.h"
#include "stain/stained_pixels.h"

namespace stainfold {
namespace {

// Mean density of a tile that shows only glass, at grey level 235 or brighter.
constexpr double kBlankDensity = 0.02;

// The two stains of real tiles lie 15 to 26 degrees apart (medians of six sites). A tile of one stain gives
// two vectors of that stain, and M^+ would turn its noise into colour. Neither brightens a channel.
constexpr double kLeastAngle = 10.0 * M_PI / 180.0;

}  // namespace

at::Tensor principal_plane(const StainedMoments& moments) {
  if (moments.covariance.is_cuda()) return on_cuda::principal_plane(moments);
  const at::Tensor vectors = std::get<1>(at::linalg_eigh(moments.covariance));
  const at::Tensor plane = vectors.slice(2, 1, 3);  // ascending eigenvalues: the last two
  const at::Tensor side = at::bmm(moments.mean.unsqueeze(1), plane).sign_();
  return plane * at::where(side == 0, 1.0, side);  // [B,3,2]
}

Separation separation_between(const StainedMoments& moments, const at::Tensor& plane, const at::Tensor& low,
                              const at::Tensor& high) {
  const auto direction = [&](const at::Tensor& phi) {  // [B,1] -> [B,3]
    return at::bmm(plane, at::stack({phi.cos(), phi.sin()}, 1)).squeeze(2);
  };
  const at::Tensor one = direction(low), other = direction(high);
  // Haematoxylin absorbs more red than eosin does.
  const at::Tensor redder = one.slice(1, 0, 1).gt(other.slice(1, 0, 1));
  const at::Tensor estimate =
      at::stack({at::where(redder, one, other), at::where(redder, other, one)}, 2);  // [B,3,2]

  // An unstained tile's angles are infinite or NaN and its estimate NaN: every comparison below is then
  // false.
  const at::Tensor usable = moments.counted.squeeze(1)
                                .ge(least_stained(moments.pixels))
                                .logical_and_(at::amin(estimate, {1, 2}).ge(0))
                                .logical_and_((high - low).squeeze(1).ge(kLeastAngle));
  const at::Tensor blank = moments.positive.lt(kBlankDensity);
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

}  // namespace stainfold
