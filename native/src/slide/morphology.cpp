#include "slide/morphology.h"

#include <algorithm>
#include <vector>

namespace stainfold {
namespace {

// Along one line of `count` pixels, `step` apart: each becomes `wanted` where any within the radius is.
void spread(std::uint8_t* line, std::int64_t count, std::int64_t step, std::int64_t radius,
            std::uint8_t wanted, std::vector<std::uint8_t>& copy) {
  copy.resize(static_cast<std::size_t>(count));
  for (std::int64_t i = 0; i < count; ++i) copy[i] = line[i * step];
  std::int64_t last = -radius - 1;  // of the wanted pixels met so far, up to i + radius
  for (std::int64_t ahead = 0, i = 0; i < count; ++i) {
    for (; ahead < count && ahead <= i + radius; ++ahead) {
      if (copy[ahead] == wanted) last = ahead;
    }
    if (last >= i - radius) line[i * step] = wanted;
  }
}

void spread_square(std::uint8_t* mask, std::int64_t height, std::int64_t width, std::int64_t radius,
                   std::uint8_t wanted) {
  std::vector<std::uint8_t> copy;
  for (std::int64_t y = 0; y < height; ++y) spread(mask + y * width, width, 1, radius, wanted, copy);
  for (std::int64_t x = 0; x < width; ++x) spread(mask + x, height, width, radius, wanted, copy);
}

// Calls visit(pixels of the area, touches the edge) for each connected area of `wanted`.
template <typename Visit>
void for_each_area(const std::uint8_t* mask, std::int64_t height, std::int64_t width, std::uint8_t wanted,
                   bool diagonal, Visit visit) {
  std::vector<std::uint8_t> seen(static_cast<std::size_t>(height * width), 0);
  std::vector<std::int64_t> area;
  for (std::int64_t start = 0; start < height * width; ++start) {
    if (mask[start] != wanted || seen[start] != 0) continue;
    area.assign(1, start);
    seen[start] = 1;
    bool touches = false;
    for (std::size_t next = 0; next < area.size(); ++next) {
      const std::int64_t y = area[next] / width, x = area[next] % width;
      touches = touches || y == 0 || x == 0 || y == height - 1 || x == width - 1;
      for (std::int64_t dy = -1; dy <= 1; ++dy) {
        for (std::int64_t dx = -1; dx <= 1; ++dx) {
          if (dy != 0 && dx != 0 && !diagonal) continue;
          const std::int64_t row = y + dy, column = x + dx;
          if (row < 0 || column < 0 || row >= height || column >= width) continue;
          const std::int64_t at = row * width + column;
          if (mask[at] != wanted || seen[at] != 0) continue;
          seen[at] = 1;
          area.push_back(at);
        }
      }
    }
    visit(area, touches);
  }
}

}  // namespace

void close_mask(std::uint8_t* mask, std::int64_t height, std::int64_t width, std::int64_t radius) {
  if (radius <= 0) return;
  spread_square(mask, height, width, radius, 1);
  spread_square(mask, height, width, radius, 0);
}

void remove_small(std::uint8_t* mask, std::int64_t height, std::int64_t width, std::int64_t smallest) {
  for_each_area(mask, height, width, 1, true, [&](const std::vector<std::int64_t>& area, bool) {
    if (static_cast<std::int64_t>(area.size()) >= smallest) return;
    for (const std::int64_t at : area) mask[at] = 0;
  });
}

void fill_holes(std::uint8_t* mask, std::int64_t height, std::int64_t width, std::int64_t largest) {
  for_each_area(mask, height, width, 0, false, [&](const std::vector<std::int64_t>& area, bool touches) {
    if (touches || static_cast<std::int64_t>(area.size()) > largest) return;
    for (const std::int64_t at : area) mask[at] = 1;
  });
}

}  // namespace stainfold
