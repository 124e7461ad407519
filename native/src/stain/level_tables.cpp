#include "stain/level_tables.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

#include "stain/optical_density.h"
#include "stain/srgb.h"

namespace stainfold {

const Levels& density_levels() {
  static const Levels table = [] {
    Levels values{};
    const at::Tensor density = optical_density(at::arange(256, at::kFloat));
    std::copy_n(density.const_data_ptr<float>(), values.size(), values.begin());
    return values;
  }();
  return table;
}

const Levels& linear_levels() {
  static const Levels table = [] {
    Levels values{};
    for (int level = 0; level < 256; ++level) {
      const double value = level / 255.0;
      values[static_cast<std::size_t>(level)] =
          static_cast<float>(value > 0.04045 ? std::pow((value + 0.055) / 1.055, 2.4) : value / 12.92);
    }
    return values;
  }();
  return table;
}

const ColourSpaces& colour_spaces() {
  static const ColourSpaces matrices = [] {
    at::Tensor forward = at::empty({3, 3}, at::kDouble);
    for (std::size_t i = 0; i < 9; ++i) {
      forward.mutable_data_ptr<double>()[i] = srgb::kXyzOfRgb[i] / srgb::kWhite[i / 3];
    }
    const at::Tensor inverse = at::linalg_inv(forward).contiguous();
    ColourSpaces result;
    for (std::size_t i = 0; i < 9; ++i) {
      result.xyz_of_rgb[i] = static_cast<float>(forward.const_data_ptr<double>()[i]);
      result.rgb_of_xyz[i] = static_cast<float>(inverse.const_data_ptr<double>()[i]);
    }
    return result;
  }();
  return matrices;
}

}  // namespace stainfold
