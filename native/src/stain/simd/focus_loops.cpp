#include <algorithm>

#include "core/instruction_sets.h"
#include "stain/simd/view_loops.h"

namespace stainfold {

std::int64_t focus_scratch(std::int64_t height, std::int64_t width, std::int64_t radius) {
  return height * width + (width + 2 * radius) + width;
}

STAINFOLD_CLONES
void refocus_view(float* light, std::int64_t height, std::int64_t width, const FocusView& focus,
                  float* scratch) {
  const std::int64_t radius = focus.radius;
  float* const across = scratch;                 // [height,width] blurred along lines
  float* const line = across + height * width;   // one line with its repeated ends
  float* const sum = line + width + 2 * radius;  // [width]
  const float weight = focus.weight, kept = 1.0F - weight;
  for (int k = 0; k < 3; ++k) {
    float* const plane = light + k * height * width;
    for (std::int64_t y = 0; y < height; ++y) {
      const float* const row = plane + y * width;
      float* const into = across + y * width;
      for (std::int64_t x = 0; x < radius; ++x) line[x] = row[0];
      for (std::int64_t x = 0; x < width; ++x) line[radius + x] = row[x];
      for (std::int64_t x = 0; x < radius; ++x) line[radius + width + x] = row[width - 1];
      for (std::int64_t x = 0; x < width; ++x) into[x] = 0;
      for (std::int64_t tap = 0; tap <= 2 * radius; ++tap) {
        const float share = focus.profile[tap];
        if (share == 0) continue;
        const float* const shifted = line + tap;
        for (std::int64_t x = 0; x < width; ++x) into[x] += share * shifted[x];
      }
    }
    for (std::int64_t y = 0; y < height; ++y) {
      for (std::int64_t x = 0; x < width; ++x) sum[x] = 0;
      for (std::int64_t tap = 0; tap <= 2 * radius; ++tap) {
        const float share = focus.profile[tap];
        if (share == 0) continue;
        const std::int64_t from = std::min(std::max<std::int64_t>(y + tap - radius, 0), height - 1);
        const float* const row = across + from * width;
        for (std::int64_t x = 0; x < width; ++x) sum[x] += share * row[x];
      }
      float* const row = plane + y * width;
      for (std::int64_t x = 0; x < width; ++x) {
        const float value = weight * sum[x] + kept * row[x];
        row[x] = value > 0 ? (value < 1.0F ? value : 1.0F) : 0.0F;
      }
    }
  }
}

}  // namespace stainfold
