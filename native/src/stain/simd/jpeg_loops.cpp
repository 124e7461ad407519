#include <algorithm>
#include <array>
#include <cmath>

#include "core/instruction_sets.h"
#include "stain/jpeg_tables.h"
#include "stain/simd/view_loops.h"

namespace stainfold {
namespace {

constexpr float kRound =
    12582912.0F;  // 1.5 * 2^23: adding and taking it away leaves a whole number, ties even

struct Cosines {
  float by_frequency[8][8], by_position[8][8];  // the DCT-II's orthogonal matrix, and transposed
};

const Cosines& cosines() {
  static const Cosines table = [] {
    Cosines values{};
    for (int u = 0; u < 8; ++u) {
      for (int x = 0; x < 8; ++x) {
        const double scale = u == 0 ? std::sqrt(0.125) : 0.5;
        const auto value = static_cast<float>(scale * std::cos((2 * x + 1) * u * M_PI / 16));
        values.by_frequency[u][x] = values.by_position[x][u] = value;
      }
    }
    return values;
  }();
  return table;
}

std::int64_t padded(std::int64_t side) { return (side + 15) / 16 * 16; }

// Eight lines of blocks: transformed, rounded to whole steps and back, times 1/255, in place.
STAINFOLD_INLINE void requantise(float* lines, std::int64_t width, const float* step, const Cosines& dct,
                                 float* scratch) {  // scratch [8,width]
  float inverse[64], level[64];
  for (int i = 0; i < 64; ++i) {
    inverse[i] = 1.0F / step[i];
    level[i] = step[i] * static_cast<float>(1.0 / 255.0);
  }
  const auto mix_lines = [&](const float* from, float* to, const float(&matrix)[8][8])
      __attribute__((always_inline)) {
    for (int u = 0; u < 8; ++u) {
      const float* const m = matrix[u];
      float* const into = to + u * width;
      for (std::int64_t x = 0; x < width; ++x) {
        into[x] = ((m[0] * from[x] + m[1] * from[width + x]) +
                   (m[2] * from[2 * width + x] + m[3] * from[3 * width + x])) +
                  ((m[4] * from[4 * width + x] + m[5] * from[5 * width + x]) +
                   (m[6] * from[6 * width + x] + m[7] * from[7 * width + x]));
      }
    }
  };
  mix_lines(lines, scratch, dct.by_frequency);
  for (int u = 0; u < 8; ++u) {
    const float* const divide = inverse + 8 * u;
    const float* const multiply = level + 8 * u;
    for (std::int64_t x = 0; x < width; x += 8) {
      float* const block = scratch + u * width + x;
      float sum[8] = {}, back[8] = {};
      for (int i = 0; i < 8; ++i) {
        for (int v = 0; v < 8; ++v) sum[v] += block[i] * dct.by_position[i][v];
      }
      for (int v = 0; v < 8; ++v) sum[v] = ((sum[v] * divide[v] + kRound) - kRound) * multiply[v];
      for (int v = 0; v < 8; ++v) {
        for (int i = 0; i < 8; ++i) back[i] += sum[v] * dct.by_frequency[v][i];
      }
      for (int i = 0; i < 8; ++i) block[i] = back[i];
    }
  }
  mix_lines(scratch, lines, dct.by_position);
}

// One line at twice the width: 3/4 of the nearer sample, 1/4 of the farther, ends repeated.
STAINFOLD_INLINE void widen_line(const float* half, std::int64_t width, float* whole) {
  whole[0] = half[0];
  for (std::int64_t x = 0; x + 1 < width; ++x) {
    whole[2 * x + 1] = 0.75F * half[x] + 0.25F * half[x + 1];
    whole[2 * x + 2] = 0.25F * half[x] + 0.75F * half[x + 1];
  }
  whole[2 * width - 1] = half[width - 1];
}

}  // namespace

std::int64_t jpeg_scratch(std::int64_t height, std::int64_t width) {
  const std::int64_t rows = padded(height), columns = padded(width);
  return rows * columns * 3 / 2 + 8 * columns + 7 * columns;
}

STAINFOLD_CLONES
void recompress_view(float* light, std::int64_t height, std::int64_t width, const JpegView& jpeg,
                     float* scratch) {
  const Cosines& dct = cosines();
  const std::int64_t rows = padded(height), columns = padded(width), half = columns / 2;
  float* const luma = scratch;                   // [rows,columns]
  float* const blue = luma + rows * columns;     // [rows/2,half] Cb
  float* const red = blue + rows * columns / 4;  // [rows/2,half] Cr
  float* const work = red + rows * columns / 4;  // [8,columns]
  float* const full = work + 8 * columns;        // [2,columns] chroma of two lines at full resolution
  float* const mixed = full + 2 * columns;       // [2,half] chroma between lines
  float* const line = mixed + 2 * half;          // [3,columns] light of one line, its end repeated
  const float* const plane[3] = {light, light + height * width, light + 2 * height * width};
  const auto& y_of = kToYcc;

  for (std::int64_t y = 0; y < rows; ++y) {
    const std::int64_t row = std::min(y, height - 1) * width;
    for (int k = 0; k < 3; ++k) {
      float* const into = line + k * columns;
      for (std::int64_t x = 0; x < width; ++x) into[x] = plane[k][row + x] * 255.0F;
      for (std::int64_t x = width; x < columns; ++x) into[x] = plane[k][row + width - 1] * 255.0F;
    }
    const float* const r = line;
    const float* const g = line + columns;
    const float* const b = line + 2 * columns;
    float* const into = luma + y * columns;
    for (std::int64_t x = 0; x < columns; ++x) {
      into[x] = (y_of[0] * r[x] + y_of[1] * g[x] + y_of[2] * b[x]) - 128.0F;
    }
    // Means of 2 x 2 pixels: light is summed first, being the same sum.
    float* const cb = blue + y / 2 * half;
    float* const cr = red + y / 2 * half;
    for (std::int64_t x = 0; x < half; ++x) {
      const float rr = r[2 * x] + r[2 * x + 1], gg = g[2 * x] + g[2 * x + 1], bb = b[2 * x] + b[2 * x + 1];
      const float to_blue = (y_of[3] * rr + y_of[4] * gg + y_of[5] * bb) * 0.25F;
      const float to_red = (y_of[6] * rr + y_of[7] * gg + y_of[8] * bb) * 0.25F;
      cb[x] = y % 2 == 0 ? to_blue : cb[x] + to_blue;
      cr[x] = y % 2 == 0 ? to_red : cr[x] + to_red;
    }
  }
  for (std::int64_t y = 0; y < rows; y += 8) requantise(luma + y * columns, columns, jpeg.luma, dct, work);
  for (std::int64_t y = 0; y < rows / 2; y += 8) {
    requantise(blue + y * half, half, jpeg.chroma, dct, work);
    requantise(red + y * half, half, jpeg.chroma, dct, work);
  }

  const auto& from = kFromChroma;
  for (std::int64_t y = 0; y < height; ++y) {
    const std::int64_t near = y / 2;
    const std::int64_t far = std::min(std::max<std::int64_t>(near + (y % 2 == 0 ? -1 : 1), 0), rows / 2 - 1);
    for (std::int64_t x = 0; x < half; ++x) {
      mixed[x] = 0.75F * blue[near * half + x] + 0.25F * blue[far * half + x];
      mixed[half + x] = 0.75F * red[near * half + x] + 0.25F * red[far * half + x];
    }
    widen_line(mixed, half, full);
    widen_line(mixed + half, half, full + columns);
    const float* const bright = luma + y * columns;
    const float* const cb = full;
    const float* const cr = full + columns;
    for (int k = 0; k < 3; ++k) {
      float* const into = light + (k * height + y) * width;
      const float of_blue = from[2 * k], of_red = from[2 * k + 1];
      for (std::int64_t x = 0; x < width; ++x) {
        const float value =
            (bright[x] + static_cast<float>(128.0 / 255.0)) + of_blue * cb[x] + of_red * cr[x];
        into[x] = value > 0 ? (value < 1.0F ? value : 1.0F) : 0.0F;
      }
    }
  }
}

}  // namespace stainfold
