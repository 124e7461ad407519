#include <algorithm>

#include "core/instruction_sets.h"
#include "stain/pixel_math.h"
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
  for (std::int64_t y = 0; y < height; ++y) {
    for (std::int64_t x = 0; x < width; ++x) {
      const Neighbours at = neighbours_of(turn.map, static_cast<std::int32_t>(x), static_cast<std::int32_t>(y),
                                          static_cast<std::int32_t>(height), static_cast<std::int32_t>(width));
      const std::int64_t here = at.row * width + at.column, next = at.right, below = at.below * width;
      for (int k = 0; k < 3; ++k) {
        const float* const from = light + k * plane + here;
        const float value = between(from[0], from[next], from[below], from[below + next], at.across, at.down);
        result[turn.channels_last ? (y * width + x) * 3 + k : k * plane + y * width + x] = value;
      }
    }
  }
}

}  // namespace

STAINFOLD_CLONES
void turn_view(const float* light, std::int64_t height, std::int64_t width, const TurnView& turn,
               float* result) {
  const Move by = move_of(turn.map, static_cast<std::int32_t>(height), static_cast<std::int32_t>(width));
  if (by.exact) return move(light, height, width, by.first, by.down, by.right, turn.channels_last, result);
  sample(light, height, width, turn, result);
}

}  // namespace stainfold
