#include "phantom/cells.h"

#include <array>
#include <cmath>
#include <cstddef>

namespace stainfold::phantom {
namespace {

// Polynomial smooth minimum: equals min where the two differ by more than `width`.
float smooth_min(float a, float b, float width) {
  const float overlap = std::max(width - std::abs(a - b), 0.0F) / width;
  return std::min(a, b) - overlap * overlap * width * 0.25F;
}

}  // namespace

CellPlace cell_at(const Grid& grid, Point p, float rounding) {
  std::array<Site, 16> near{};
  std::size_t count = 0, nearest = 0;
  float least = 1e30F;
  grid.within(p, p, [&](const Site& site) {
    const float dx = site.at.x - p.x, dy = site.at.y - p.y, distance = dx * dx + dy * dy;
    if (distance < least) {
      least = distance;
      nearest = count;
    }
    near[count++] = site;
  });
  const Site own = near[nearest];
  float border = 1e30F;
  for (std::size_t i = 0; i < count; ++i) {
    if (i == nearest) continue;
    const float dx = near[i].at.x - own.at.x, dy = near[i].at.y - own.at.y;
    const float to_bisector =
        ((near[i].at.x + own.at.x) / 2 - p.x) * dx + ((near[i].at.y + own.at.y) / 2 - p.y) * dy;
    border = smooth_min(border, to_bisector / std::sqrt(dx * dx + dy * dy), rounding);
  }
  return {own, border};
}

}  // namespace stainfold::phantom
