// What several files of this room ask of a pixel.
#pragma once

#include <ATen/core/Tensor.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>

#include "core/checks.h"

namespace stainfold {

struct Extremes {
  double least, most;
};

inline Extremes extremes_of(double red, double green, double blue) {
  return {std::min({red, green, blue}), std::max({red, green, blue})};
}

// -ln((I + 1) / 256), so that white is 0 and black finite.
inline const std::array<float, 256>& densities() {
  static const std::array<float, 256> table = [] {
    std::array<float, 256> values{};
    for (std::size_t i = 0; i < values.size(); ++i) {
      values[i] = -std::log((static_cast<float>(i) + 1.0F) / 256.0F);
    }
    return values;
  }();
  return table;
}

inline void check_picture(const at::Tensor& pixels) {
  check_shape(pixels, "pixels", {-1, -1, 3});
  check_dtype(pixels, "pixels", {at::kByte});
}

}  // namespace stainfold
