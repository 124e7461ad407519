#include "stain/simd/lab_loops.h"

#include <bit>

#include "core/instruction_sets.h"
#include "stain/lab_math.h"

namespace stainfold {
namespace {

// lab_math.h with powers that are made for their ranges: a loop here is nothing but powers.

// Of a normal number above 0, within 3e-7: an estimate from the bits, and two of Householder's steps towards
// the inverse root, which need no division.
STAINFOLD_INLINE float cube_root(float x) {
  const auto bits = static_cast<float>(std::bit_cast<std::int32_t>(x));
  float root = std::bit_cast<float>(0x54a21d2a - static_cast<std::int32_t>(bits * (1.0F / 3.0F)));
  const float off = 1.0F - x * (root * root * root);  // within 0.11
  root += root * off * (0.333333333F + off * (0.222222222F + off * (0.172839506F + off * 0.144032922F)));
  const float left = 1.0F - x * (root * root * root);
  root += root * left * 0.333333333F;
  return x * root * root;
}

// x^(1/2.4) of x in [2^-9,2], within 5e-7. So near 1 the logarithm's error needs no second float to carry it,
// as vector_power() does; polynomials of least relative error, fitted for this range.
STAINFOLD_INLINE float encoding_power(float x) {
  const auto bits = std::bit_cast<std::int32_t>(x);
  const std::int32_t exponent = (bits - 0x3f3504f3) >> 23;
  const float rest = std::bit_cast<float>(bits - exponent * (1 << 23)) - 1.0F;
  float log = -1.4575610180e-01F;
  log = log * rest + 2.3688193272e-01F;
  log = log * rest - 2.5006144049e-01F;
  log = log * rest + 2.8670862481e-01F;
  log = log * rest - 3.6008810427e-01F;
  log = log * rest + 4.8093938852e-01F;
  log = log * rest - 7.2135712176e-01F;
  log = log * rest + 1.4426947735e+00F;
  const float power = (log * rest + static_cast<float>(exponent)) * static_cast<float>(1 / 2.4);
  constexpr float kRound = 12582912.0F;  // 1.5 * 2^23: adding it leaves a whole number
  const float whole = power + kRound, part = power - (whole - kRound);
  float sum = 1.3410000122e-03F;
  sum = sum * part + 9.6760363617e-03F;
  sum = sum * part + 5.5502973141e-02F;
  sum = sum * part + 2.4022107374e-01F;
  sum = sum * part + 6.9314722540e-01F;
  sum = sum * part + 1.0F;
  return sum * std::bit_cast<float>((std::bit_cast<std::uint32_t>(whole) - 0x4b400000U + 127U) << 23);
}

STAINFOLD_INLINE float quick_lightness_of(float t) {
  constexpr auto kBelow = static_cast<float>(srgb::kLinearBelow);
  const float curved = cube_root(t > kBelow ? t : kBelow);
  const float straight = t * static_cast<float>(srgb::kSlope) + static_cast<float>(srgb::kIntercept);
  return t > kBelow ? curved : straight;
}

// Grey level of linear light, before fractions are dropped; what is below 0 or above 1 is clipped.
STAINFOLD_INLINE float grey_level_of(float linear) {
  constexpr auto kBelow = static_cast<float>(srgb::kStraightLight);
  // 1.055 - 0.055 is less than 1 in float64, so that what is clipped comes out as 254: here by the same hair.
  constexpr float kSlope = 255.0F * 1.055F;
  constexpr float kDrop = kSlope - 254.99998F;
  const float lit = linear > 0 ? linear : 0.0F, light = lit < 1.0F ? lit : 1.0F;
  // Where the line holds the power means nothing, but is a number.
  const float curved = encoding_power(light) * kSlope - kDrop;
  return light > kBelow ? curved : light * (255.0F * 12.92F);
}

}  // namespace

STAINFOLD_CLONES
void lab_of_linear(Planes& planes, std::int64_t count, const ColourMatrix& m) {
  for (std::int64_t i = 0; i < count; ++i) {
    const float r = planes.channel[0][i], g = planes.channel[1][i], b = planes.channel[2][i];
    const float x = quick_lightness_of(m[0] * r + m[1] * g + m[2] * b);
    const float y = quick_lightness_of(m[3] * r + m[4] * g + m[5] * b);
    const float z = quick_lightness_of(m[6] * r + m[7] * g + m[8] * b);
    planes.channel[0][i] = y * 116.0F - 16.0F;
    planes.channel[1][i] = (x - y) * 500.0F;
    planes.channel[2][i] = (y - z) * 200.0F;
  }
}

STAINFOLD_CLONES
void add_moments(const Planes& lab, std::int64_t count, LabMoments& moments) {
  constexpr int kLanes = 16;
  if (moments.pixels == 0) {
    for (int k = 0; k < 3; ++k) moments.centre[k] = lab.channel[k][0];
  }
  const float centre[3] = {moments.centre[0], moments.centre[1], moments.centre[2]};
  float sum[3][kLanes] = {}, square[3][kLanes] = {};
  const auto add = [&](std::int64_t i, int l) __attribute__((always_inline)) {
    const float x = lab.channel[0][i] - centre[0], y = lab.channel[1][i] - centre[1],
                z = lab.channel[2][i] - centre[2];
    sum[0][l] += x;
    sum[1][l] += y;
    sum[2][l] += z;
    square[0][l] += x * x;
    square[1][l] += y * y;
    square[2][l] += z * z;
  };
  std::int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    for (int l = 0; l < kLanes; ++l) add(i + l, l);
  }
  for (; i < count; ++i) add(i, 0);
  for (int l = 0; l < kLanes; ++l) {
    for (int k = 0; k < 3; ++k) {
      moments.sum[k] += static_cast<double>(sum[k][l]);
      moments.square[k] += static_cast<double>(square[k][l]);
    }
  }
  moments.pixels += count;
}

STAINFOLD_CLONES
void write_moved_lab(const Planes& lab, std::int64_t count, const std::array<float, 3>& scale,
                     const std::array<float, 3>& shift, const ColourMatrix& m, std::uint8_t* pixels) {
  alignas(64) std::uint8_t level[3][kRun];
  for (std::int64_t i = 0; i < count; ++i) {
    const float lightness = lab.channel[0][i] * scale[0] + shift[0];
    const float a = lab.channel[1][i] * scale[1] + shift[1], b = lab.channel[2][i] * scale[2] + shift[2];
    const float fy = (lightness + 16.0F) * (1.0F / 116.0F), fx = fy + a * (1.0F / 500.0F);
    const float below = fy - b * (1.0F / 200.0F), fz = below > 0 ? below : 0.0F;
    const float x = light_of(fx), y = light_of(fy), z = light_of(fz);
    level[0][i] =
        static_cast<std::uint8_t>(static_cast<std::int32_t>(grey_level_of(m[0] * x + m[1] * y + m[2] * z)));
    level[1][i] =
        static_cast<std::uint8_t>(static_cast<std::int32_t>(grey_level_of(m[3] * x + m[4] * y + m[5] * z)));
    level[2][i] =
        static_cast<std::uint8_t>(static_cast<std::int32_t>(grey_level_of(m[6] * x + m[7] * y + m[8] * z)));
  }
  for (std::int64_t i = 0; i < count; ++i) {
    pixels[3 * i] = level[0][i];
    pixels[3 * i + 1] = level[1][i];
    pixels[3 * i + 2] = level[2][i];
  }
}

}  // namespace stainfold
