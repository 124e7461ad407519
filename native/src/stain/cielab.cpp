#include "stain/cielab.h"

#include <ATen/ATen.h>

#include "stain/srgb.h"

namespace stainfold {
namespace {

using namespace srgb;

at::Tensor xyz_of_rgb() {  // relative to white, float64 [3,3]
  const auto blob = [](const double* data, at::IntArrayRef shape) {
    return at::from_blob(const_cast<double*>(data), shape, at::TensorOptions().dtype(at::kDouble));
  };
  return blob(kXyzOfRgb.data(), {3, 3}) / blob(kWhite.data(), {3, 1});
}

at::Tensor mixed(const at::Tensor& matrix, const at::Tensor& image) {
  const at::Tensor placed = matrix.to(image.options());
  return at::matmul(placed, image.flatten(2)).view(image.sizes());
}

}  // namespace

at::Tensor cielab_of_srgb(const at::Tensor& rgb) {
  const at::Tensor linear = at::where(rgb > 0.04045, ((rgb + 0.055) / 1.055).pow(2.4), rgb / 12.92);
  const at::Tensor xyz = mixed(xyz_of_rgb(), linear);
  const at::Tensor f =
      at::where(xyz > kLinearBelow, xyz.clamp_min(kLinearBelow).pow(1.0 / 3.0), xyz * kSlope + kIntercept);
  const at::Tensor x = f.select(1, 0), y = f.select(1, 1), z = f.select(1, 2);
  return at::stack({y * 116 - 16, (x - y) * 500, (y - z) * 200}, 1);
}

at::Tensor srgb_of_cielab(const at::Tensor& lab) {
  const at::Tensor y = (lab.select(1, 0) + 16) / 116;
  const at::Tensor f =
      at::stack({y + lab.select(1, 1) / 500, y, (y - lab.select(1, 2) / 200).clamp_min(0)}, 1);
  const at::Tensor xyz = at::where(f > kCubeAbove, f * f * f, (f - kIntercept) / kSlope);
  const at::Tensor linear = mixed(at::linalg_inv(xyz_of_rgb()), xyz).clamp_(0, 1);
  return at::where(linear > kStraightLight, linear.clamp_min(kStraightLight).pow(1 / 2.4) * 1.055 - 0.055,
                   linear * 12.92)
      .clamp_(0, 1);
}

}  // namespace stainfold
