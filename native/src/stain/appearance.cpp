#include "stain/appearance.h"

#include <ATen/ATen.h>

#include <cmath>

#include "core/upload.h"
#include "stain/optical_density.h"
#include "stain/virtual_lab.h"

namespace stainfold {
namespace {

// Rotations about axes through the origin: exp of the cross-product matrix.
at::Tensor rotations(const at::Tensor& axis_angle) {  // [V,2,3] radians -> [V,2,3,3]
  const at::Tensor x = axis_angle.select(2, 0), y = axis_angle.select(2, 1), z = axis_angle.select(2, 2);
  const at::Tensor zero = at::zeros_like(x);
  return at::linalg_matrix_exp(at::stack({zero, -z, y, z, zero, -x, -y, x, zero}, 2).view({-1, 2, 3, 3}));
}

at::Tensor turned_stains(const at::Tensor& stains,      // [V,3,2]
                         const at::Tensor& rotation) {  // [V,2,3,3] -> [V,3,2]
  const at::Tensor turned =
      at::matmul(rotation, stains.transpose(1, 2).unsqueeze(3)).squeeze(3).clamp_min_(0);
  // The bound: a vector turned out of the positive octant altogether leaves nothing to normalise.
  return (turned / turned.norm(2, 2, /*keepdim=*/true).clamp_min(1e-3)).transpose(1, 2);
}

}  // namespace

StainMap stain_map(const Separation& separation, const at::Tensor& theta, const at::Tensor& host_theta) {
  const std::int64_t views = theta.size(0) / separation.stains.size(0);
  const at::Tensor stains = separation.stains.repeat({views, 1, 1});                   // M [V,3,2]
  const at::Tensor inverse = pseudo_inverse(separation.stains).repeat({views, 1, 1});  // M^+ [V,2,3]
  const at::Tensor axis_angle =
      (host_theta.defined() ? host_theta : theta).narrow(1, lab::kRotation, 6).view({-1, 2, 3});
  const at::Tensor rotation = upload(rotations(axis_angle), stains.device());
  const at::Tensor turned = turned_stains(stains, rotation);  // M' [V,3,2]
  const at::Tensor log_scale = theta.narrow(1, lab::kLogScale, 2);
  const at::Tensor scale = log_scale.exp();                                         // a [V,2]
  const at::Tensor residual = log_scale.mean(1).exp_().view({-1, 1, 1});            // r
  const at::Tensor background = theta.narrow(1, lab::kBackground, 2).unsqueeze(2);  // b [V,2,1]

  const at::Tensor identity = at::eye(3, stains.options());
  const at::Tensor matrix =
      at::bmm(turned * scale.unsqueeze(1), inverse) + residual * (identity - at::bmm(stains, inverse));
  const at::Tensor offset = at::bmm(turned, background).squeeze(2);

  const at::Tensor blank =
      separation.status.eq(static_cast<std::int64_t>(SeparationStatus::blank)).repeat({views});
  return {at::where(blank.view({-1, 1, 1}), identity, matrix),
          at::where(blank.unsqueeze(1), at::zeros({}, offset.options()), offset)};
}

StainMap no_stain_change(std::int64_t views, const at::TensorOptions& options) {
  return {at::eye(3, options).expand({views, 3, 3}), at::zeros({views, 3}, options)};
}

StainMap hed_map(const at::Tensor& theta) {
  static constexpr double kVectors[3][3] = {{0.65, 0.07, 0.27}, {0.70, 0.99, 0.57}, {0.29, 0.11, 0.78}};
  const at::Tensor columns =
      at::from_blob(const_cast<double*>(&kVectors[0][0]), {3, 3}, at::TensorOptions().dtype(at::kDouble));
  const at::Tensor stains = columns / columns.norm(2, 0, /*keepdim=*/true);
  const at::Tensor inverse = at::linalg_inv(stains).to(theta.options());
  const at::Tensor placed = stains.to(theta.options()), identity = at::eye(3, theta.options());
  const at::Tensor change = placed * theta.narrow(1, 0, 3).unsqueeze(1);  // R diag(x) [V,3,3]
  return {at::matmul(change, inverse) + identity, at::matmul(theta.narrow(1, 3, 3), placed.t())};
}

at::Tensor render_appearance(const at::Tensor& density, const Separation& separation,
                             const at::Tensor& theta) {
  const at::Tensor parameters = theta.to(density.device());
  return render_curve(density, stain_map(separation, parameters), parameters.narrow(1, lab::kLogGain, 3),
                      parameters.narrow(1, lab::kLogGamma, 1));
}

Curve curve_of(const StainMap& map, const at::Tensor& log_gain, const at::Tensor& log_gamma) {
  const at::Tensor gamma = log_gamma.exp();  // [V,1]
  // ln of (gain J)^gamma with J = kGlass/kGreyLevels exp(-OD'); J <= 1 and saturation are one upper bound.
  // exp() then gives 256/255 of it, from which 1/255 makes I/255.
  const double unit = std::log(kGreyLevels / 255.0);
  return {map.matrix * -gamma.unsqueeze(2),
          (log_gain + std::log(kGlass / kGreyLevels) - map.offset) * gamma + unit,
          (log_gain * gamma).clamp_max_(0) + unit};
}

at::Tensor render_curve(const at::Tensor& density, const StainMap& map, const at::Tensor& log_gain,
                        const at::Tensor& log_gamma) {
  const std::int64_t tiles = density.size(0), rows = log_gain.size(0);
  const Curve curve = curve_of(map, log_gain, log_gamma);

  at::Tensor pixels = at::empty({rows, 3, density.size(2), density.size(3)}, density.options());
  const at::Tensor planes = pixels.view({rows, 3, -1});
  const at::Tensor input = density.view({tiles, 3, -1});
  for (std::int64_t first = 0; first < rows; first += tiles) {  // one view of every tile
    at::Tensor block = planes.narrow(0, first, tiles);
    at::baddbmm_out(block, curve.intercept.narrow(0, first, tiles).unsqueeze(2),
                    curve.slope.narrow(0, first, tiles), input);
  }
  planes.clamp_max_(curve.brightest.unsqueeze(2)).exp_().sub_(1.0 / 255.0).clamp_(0, 1);
  return pixels;
}

}  // namespace stainfold
