#include "stain/simd/density_loops.h"

#include <cmath>
#include <limits>

#include "core/instruction_sets.h"
#include "stain/pixel_math.h"

namespace stainfold {

STAINFOLD_CLONES
void look_up(const std::uint8_t* pixels, std::int64_t step, std::int64_t count, const float* table,
             Planes& planes) {
  float* const red = planes.channel[0];
  float* const green = planes.channel[1];
  float* const blue = planes.channel[2];
  if (step == 3) {
    for (std::int64_t i = 0; i < count; ++i) {
      red[i] = table[pixels[3 * i]];
      green[i] = table[pixels[3 * i + 1]];
      blue[i] = table[pixels[3 * i + 2]];
    }
    return;
  }
  for (std::int64_t i = 0; i < count; ++i) {
    red[i] = table[pixels[step * i]];
    green[i] = table[pixels[step * i + 1]];
    blue[i] = table[pixels[step * i + 2]];
  }
}

STAINFOLD_CLONES
void add_moments(const Planes& density, std::int64_t count, DensityMoments& moments) {
  constexpr int kLanes = 8;
  constexpr auto kCentre = DensityMoments::kCentre;
  double stained[kLanes] = {}, positive[kLanes] = {}, sum[3][kLanes] = {}, product[6][kLanes] = {};
  const auto add = [&](std::int64_t i, int l) __attribute__((always_inline)) {
    const float r = density.channel[0][i], g = density.channel[1][i], b = density.channel[2][i];
    const double weight = is_stained(r, g, b) ? 1.0 : 0.0;
    const double x = (static_cast<double>(r) - kCentre) * weight;
    const double y = (static_cast<double>(g) - kCentre) * weight;
    const double z = (static_cast<double>(b) - kCentre) * weight;
    stained[l] += weight;
    positive[l] += static_cast<double>((r > 0 ? r : 0.0F) + (g > 0 ? g : 0.0F) + (b > 0 ? b : 0.0F));
    sum[0][l] += x;
    sum[1][l] += y;
    sum[2][l] += z;
    product[0][l] += x * x;
    product[1][l] += x * y;
    product[2][l] += x * z;
    product[3][l] += y * y;
    product[4][l] += y * z;
    product[5][l] += z * z;
  };
  std::int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    for (int l = 0; l < kLanes; ++l) add(i + l, l);
  }
  for (; i < count; ++i) add(i, 0);
  for (int l = 0; l < kLanes; ++l) {
    moments.stained += stained[l];
    moments.positive += positive[l];
    for (int k = 0; k < 3; ++k) moments.sum[k] += sum[k][l];
    for (int k = 0; k < 6; ++k) moments.product[k] += product[k][l];
  }
}

STAINFOLD_CLONES
void add_stained(const Planes& density, std::int64_t count, StainedSums& sums) {
  constexpr int kLanes = 16;
  float stained[kLanes] = {}, sum[3][kLanes] = {};  // of a run: 64 numbers a lane
  const auto add = [&](std::int64_t i, int l) __attribute__((always_inline)) {
    const float r = density.channel[0][i], g = density.channel[1][i], b = density.channel[2][i];
    const float weight = is_stained(r, g, b) ? 1.0F : 0.0F;
    stained[l] += weight;
    sum[0][l] += weight * r;
    sum[1][l] += weight * g;
    sum[2][l] += weight * b;
  };
  std::int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    for (int l = 0; l < kLanes; ++l) add(i + l, l);
  }
  for (; i < count; ++i) add(i, 0);
  for (int l = 0; l < kLanes; ++l) {
    sums.stained += static_cast<double>(stained[l]);
    for (int k = 0; k < 3; ++k) sums.sum[k] += static_cast<double>(sum[k][l]);
  }
}

STAINFOLD_CLONES
void directions(const Planes& density, std::int64_t count, const PlaneAxes& axes, float* direction) {
  const float x0 = axes.axis[0][0], x1 = axes.axis[0][1], x2 = axes.axis[0][2];
  const float y0 = axes.axis[1][0], y1 = axes.axis[1][1], y2 = axes.axis[1][2];
  for (std::int64_t i = 0; i < count; ++i) {
    const float r = density.channel[0][i], g = density.channel[1][i], b = density.channel[2][i];
    const float turned = direction_of(x0 * r + x1 * g + x2 * b, y0 * r + y1 * g + y2 * b);
    direction[i] = is_stained(r, g, b) ? turned : std::numeric_limits<float>::quiet_NaN();
  }
}

STAINFOLD_CLONES
void project(const Planes& density, std::int64_t count, const std::array<float, 3>& row, float* amount) {
  const float r = row[0], g = row[1], b = row[2];
  for (std::int64_t i = 0; i < count; ++i) {
    amount[i] = r * density.channel[0][i] + g * density.channel[1][i] + b * density.channel[2][i];
  }
}

STAINFOLD_CLONES
void place_in_bins(const float* values, std::int64_t count, float low, float scale, std::uint16_t* bin) {
  constexpr auto kLast = static_cast<float>(kBins - 1);
  for (std::int64_t i = 0; i < count; ++i) {
    const float value = values[i];
    float place = (value - low) * scale;
    place = place > 0 ? place : 0.0F;
    place = place < kLast ? place : kLast;
    place = value == value ? place : static_cast<float>(kBins);
    bin[i] = static_cast<std::uint16_t>(static_cast<std::int32_t>(place));
  }
}

STAINFOLD_CLONES
std::int64_t values_in_bin(const float* values, const std::uint16_t* bin, std::int64_t count,
                           std::uint16_t wanted, float* found) {
  constexpr std::int64_t kBlock = 64;  // most blocks hold none
  std::int64_t held = 0, i = 0;
  for (; i + kBlock <= count; i += kBlock) {
    std::uint16_t any = 0;
    for (std::int64_t l = 0; l < kBlock; ++l) any |= static_cast<std::uint16_t>(bin[i + l] == wanted);
    if (any == 0) continue;
    for (std::int64_t l = 0; l < kBlock; ++l) {
      if (bin[i + l] == wanted) found[held++] = values[i + l];
    }
  }
  for (; i < count; ++i) {
    if (bin[i] == wanted) found[held++] = values[i];
  }
  return held;
}

STAINFOLD_CLONES
void write_light(const Planes& density, std::int64_t count, const std::array<float, 9>& map, float glass,
                 std::uint8_t* pixels) {
  alignas(64) std::uint8_t level[3][kRun];
  for (int k = 0; k < 3; ++k) {
    const float r = -map[3 * k], g = -map[3 * k + 1], b = -map[3 * k + 2];
    for (std::int64_t i = 0; i < count; ++i) {
      level[k][i] = level_of_density(
          r * density.channel[0][i] + g * density.channel[1][i] + b * density.channel[2][i], glass);
    }
  }
  for (std::int64_t i = 0; i < count; ++i) {
    pixels[3 * i] = level[0][i];
    pixels[3 * i + 1] = level[1][i];
    pixels[3 * i + 2] = level[2][i];
  }
}

}  // namespace stainfold
