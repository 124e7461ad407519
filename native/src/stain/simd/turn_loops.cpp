#include <algorithm>

#include "core/instruction_sets.h"
#include "stain/simd/view_loops.h"

namespace stainfold {
namespace {

constexpr std::int64_t kTile = 16;  // floats of a cache line, and lines: a transposition's working set

// result(y, x) = light at first + y * down + x * right, for all three channels.
STAINFOLD_INLINE void move(const float* light, std::int64_t height, std::int64_t width, std::int64_t first,
                           std::int64_t down, std::int64_t right, bool channels_last, float* result) {
  const std::int64_t plane = height * width;
  for (std::int64_t top = 0; top < height; top += kTile) {
    const std::int64_t bottom = std::min(top + kTile, height);
    for (std::int64_t left = 0; left < width; left += kTile) {
      const std::int64_t end = std::min(left + kTile, width);
      for (std::int64_t y = top; y < bottom; ++y) {
        const float* const from = light + first + y * down;
        if (channels_last) {
          float* const into = result + y * width * 3;
          for (std::int64_t x = left; x < end; ++x) {
            into[3 * x] = from[x * right];
            into[3 * x + 1] = from[x * right + plane];
            into[3 * x + 2] = from[x * right + 2 * plane];
          }
        } else {
          for (int k = 0; k < 3; ++k) {
            float* const into = result + k * plane + y * width;
            for (std::int64_t x = left; x < end; ++x) into[x] = from[k * plane + x * right];
          }
        }
      }
    }
  }
}

STAINFOLD_INLINE void sample(const float* light, std::int64_t height, std::int64_t width,
                             const TurnView& turn, float* result) {
  const std::int64_t plane = height * width;
  const auto w = static_cast<float>(width), h = static_cast<float>(height);
  const auto inside = [](float position, float side) __attribute__((always_inline)) {
    position = position > 0 ? position : 0.0F;
    return position < side - 1 ? position : side - 1;
  };
  for (std::int64_t y = 0; y < height; ++y) {
    const float v = (2 * static_cast<float>(y) + 1) / h - 1;
    for (std::int64_t x = 0; x < width; ++x) {
      const float u = (2 * static_cast<float>(x) + 1) / w - 1;
      const float across = turn.map[0] * u + turn.map[1] * v + turn.map[2];
      const float along = turn.map[3] * u + turn.map[4] * v + turn.map[5];
      const float column = inside(((across + 1) * w - 1) * 0.5F, w);
      const float row = inside(((along + 1) * h - 1) * 0.5F, h);
      const auto c = static_cast<std::int32_t>(column), r = static_cast<std::int32_t>(row);
      const float right = column - static_cast<float>(c), down = row - static_cast<float>(r);
      const std::int64_t here = r * width + c, next = c + 1 < width ? 1 : 0,
                         below = r + 1 < height ? width : 0;
      for (int k = 0; k < 3; ++k) {
        const float* const from = light + k * plane + here;
        const float value = (1 - down) * ((1 - right) * from[0] + right * from[next]) +
                            down * ((1 - right) * from[below] + right * from[below + next]);
        result[turn.channels_last ? (y * width + x) * 3 + k : k * plane + y * width + x] = value;
      }
    }
  }
}

bool is_unit(float value) { return value == 1.0F || value == -1.0F; }

}  // namespace

STAINFOLD_CLONES
void turn_view(const float* light, std::int64_t height, std::int64_t width, const TurnView& turn,
               float* result) {
  const float* const m = turn.map;
  if (m[2] == 0 && m[5] == 0) {
    if (is_unit(m[0]) && is_unit(m[4]) && m[1] == 0 && m[3] == 0) {
      const std::int64_t right = m[0] > 0 ? 1 : -1, down = m[4] > 0 ? width : -width;
      const std::int64_t first = (m[0] > 0 ? 0 : width - 1) + (m[4] > 0 ? 0 : (height - 1) * width);
      return move(light, height, width, first, down, right, turn.channels_last, result);
    }
    if (height == width && is_unit(m[1]) && is_unit(m[3]) && m[0] == 0 && m[4] == 0) {
      const std::int64_t down = m[1] > 0 ? 1 : -1, right = m[3] > 0 ? width : -width;
      const std::int64_t first = (m[1] > 0 ? 0 : width - 1) + (m[3] > 0 ? 0 : (height - 1) * width);
      return move(light, height, width, first, down, right, turn.channels_last, result);
    }
  }
  sample(light, height, width, turn, result);
}

}  // namespace stainfold
