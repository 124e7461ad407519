#include "stain/simd/lab_loops.h"

#include "core/instruction_sets.h"
#include "stain/lab_math.h"

namespace stainfold {
STAINFOLD_CLONES
void lab_of_linear(Planes& planes, std::int64_t count, const ColourMatrix& m) {
  for (std::int64_t i = 0; i < count; ++i) {
    const float r = planes.channel[0][i], g = planes.channel[1][i], b = planes.channel[2][i];
    const float x = lightness_of(m[0] * r + m[1] * g + m[2] * b);
    const float y = lightness_of(m[3] * r + m[4] * g + m[5] * b);
    const float z = lightness_of(m[6] * r + m[7] * g + m[8] * b);
    planes.channel[0][i] = y * 116.0F - 16.0F;
    planes.channel[1][i] = (x - y) * 500.0F;
    planes.channel[2][i] = (y - z) * 200.0F;
  }
}

STAINFOLD_CLONES
void add_moments(const Planes& lab, std::int64_t count, LabMoments& moments) {
  constexpr int kLanes = 8;
  for (int k = 0; k < 3; ++k) {
    double sum[kLanes] = {}, square[kLanes] = {};
    std::int64_t i = 0;
    for (; i + kLanes <= count; i += kLanes) {
      for (int l = 0; l < kLanes; ++l) {
        const double value = static_cast<double>(lab.channel[k][i + l]);
        sum[l] += value;
        square[l] += value * value;
      }
    }
    for (; i < count; ++i) {
      const double value = static_cast<double>(lab.channel[k][i]);
      sum[0] += value;
      square[0] += value * value;
    }
    for (int l = 0; l < kLanes; ++l) {
      moments.sum[k] += sum[l];
      moments.square[k] += square[l];
    }
  }
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
    level[0][i] = static_cast<std::uint8_t>(
        static_cast<std::int32_t>(255.0F * encoded(m[0] * x + m[1] * y + m[2] * z)));
    level[1][i] = static_cast<std::uint8_t>(
        static_cast<std::int32_t>(255.0F * encoded(m[3] * x + m[4] * y + m[5] * z)));
    level[2][i] = static_cast<std::uint8_t>(
        static_cast<std::int32_t>(255.0F * encoded(m[6] * x + m[7] * y + m[8] * z)));
  }
  for (std::int64_t i = 0; i < count; ++i) {
    pixels[3 * i] = level[0][i];
    pixels[3 * i + 1] = level[1][i];
    pixels[3 * i + 2] = level[2][i];
  }
}

}  // namespace stainfold
