// What is done to one pixel: the arithmetic that the loops for the CPU and the kernels for CUDA share. Plain
// C++17 for host and device; no LibTorch.
#pragma once

#include <cmath>
#include <cstdint>

#include "core/instruction_sets.h"
#include "core/vector_math.h"
#include "stain/srgb.h"
#include "stain/stained_density.h"

namespace stainfold {

STAINFOLD_INLINE float clipped(float value) { return value > 0 ? (value < 1.0F ? value : 1.0F) : 0.0F; }

// A scanner's curve: exp() gives 256/255 of the light at most, from which a level is taken; see Curve.
STAINFOLD_INLINE float light_on_curve(float power, float brightest) {
  return clipped(vector_exp(power < brightest ? power : brightest) - static_cast<float>(1.0 / 255.0));
}

STAINFOLD_INLINE bool is_stained(float r, float g, float b) {
  const float least_two = g < b ? g : b, least = r < least_two ? r : least_two;
  return least >= static_cast<float>(kStainedDensity);
}

// A direction in a plane as a number that grows with its angle, from -2 at -180 degrees to 2 at 180: the
// quadrants of the taxicab circle.
STAINFOLD_INLINE float direction_of(float x, float y) {
  const float share = x / (std::fabs(x) + std::fabs(y));
  return y < 0 ? share - 1.0F : 1.0F - share;
}

STAINFOLD_INLINE double angle_of(float direction) {
  const double turn = static_cast<double>(direction);
  const double x = turn >= 0 ? 1 - turn : 1 + turn;
  const double y = (1 - std::fabs(x)) * (turn >= 0 ? 1 : -1);
  return std::atan2(y, x);
}

// Grey level of a density: what is brighter than white is white, fractions are dropped.
STAINFOLD_INLINE std::uint8_t level_of_density(float negative_density, float glass) {
  const float light = glass * vector_exp(negative_density);
  return static_cast<std::uint8_t>(static_cast<std::int32_t>(light < 255.0F ? light : 255.0F));
}

// Of a tile's stained pixels, from sums over them of what lies above `centre`.
struct TileMoments {
  double mean[3], covariance[9];
};
STAINFOLD_INLINE TileMoments moments_of_sums(double stained, const double* sum, const double* product,
                                             double centre) {
  const double n = stained > 1.0 ? stained : 1.0, free = stained - 1 > 1.0 ? stained - 1 : 1.0;
  const int place[9] = {0, 1, 2, 1, 3, 4, 2, 4, 5};  // rr, rg, rb, gg, gb, bb
  TileMoments result;
  for (int a = 0; a < 3; ++a) {
    result.mean[a] = stained > 0 ? sum[a] / n + centre : 0;
    for (int b = 0; b < 3; ++b) {
      result.covariance[3 * a + b] = (product[place[3 * a + b]] - sum[a] * sum[b] / n) / free;
    }
  }
  return result;
}

// One pixel's place in a picture that a view looks at, in grid_sampler's coordinates without aligned corners.
struct Neighbours {
  std::int32_t column, row;   // of the nearest to the upper left
  std::int32_t right, below;  // 1, or 0 at the edge
  float across, down;         // shares of those
};
STAINFOLD_INLINE float held_inside(float position, float side) {
  position = position > 0 ? position : 0.0F;
  return position < side - 1 ? position : side - 1;
}
STAINFOLD_INLINE Neighbours neighbours_of(const float* map, std::int32_t x, std::int32_t y,
                                          std::int32_t height, std::int32_t width) {
  const float w = static_cast<float>(width), h = static_cast<float>(height);
  const float u = (2 * static_cast<float>(x) + 1) / w - 1, v = (2 * static_cast<float>(y) + 1) / h - 1;
  const float along_x = map[0] * u + map[1] * v + map[2], along_y = map[3] * u + map[4] * v + map[5];
  const float column = held_inside(((along_x + 1) * w - 1) * 0.5F, w);
  const float row = held_inside(((along_y + 1) * h - 1) * 0.5F, h);
  Neighbours found;
  found.column = static_cast<std::int32_t>(column);
  found.row = static_cast<std::int32_t>(row);
  found.across = column - static_cast<float>(found.column);
  found.down = row - static_cast<float>(found.row);
  found.right = found.column + 1 < width ? 1 : 0;
  found.below = found.row + 1 < height ? 1 : 0;
  return found;
}
STAINFOLD_INLINE float between(float here, float right, float below, float both, float across, float down) {
  return (1 - down) * ((1 - across) * here + across * right) + down * ((1 - across) * below + across * both);
}

// A symmetry of the picture moves pixels without touching them: (y, x) is taken from first + y * down + x *
// right.
struct Move {
  bool exact;
  std::int32_t first, down, right;
};
STAINFOLD_INLINE bool is_unit(float value) { return value == 1.0F || value == -1.0F; }
STAINFOLD_INLINE Move move_of(const float* m, std::int32_t height, std::int32_t width) {
  if (m[2] != 0 || m[5] != 0) return Move{false, 0, 0, 0};
  if (is_unit(m[0]) && is_unit(m[4]) && m[1] == 0 && m[3] == 0) {
    return Move{true, (m[0] > 0 ? 0 : width - 1) + (m[4] > 0 ? 0 : (height - 1) * width),
                m[4] > 0 ? width : -width, m[0] > 0 ? 1 : -1};
  }
  if (height == width && is_unit(m[1]) && is_unit(m[3]) && m[0] == 0 && m[4] == 0) {
    return Move{true, (m[1] > 0 ? 0 : width - 1) + (m[3] > 0 ? 0 : (height - 1) * width), m[1] > 0 ? 1 : -1,
                m[3] > 0 ? width : -width};
  }
  return Move{false, 0, 0, 0};
}

}  // namespace stainfold
