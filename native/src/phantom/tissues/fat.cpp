#include <cmath>

#include "phantom/cells.h"
#include "phantom/scatter.h"
#include "phantom/tissues/tissues.h"

namespace stainfold::phantom {
namespace {

// An adipocyte's nucleus lies pressed against its wall: from the cell's site outwards until there.
void paint_wall_nuclei(Canvas& canvas, const Grid& adipocytes, float spacing, float rounding, float scale) {
  const float extent = canvas.extent();
  adipocytes.within({-spacing, -spacing}, {extent + spacing, extent + spacing}, [&](const Site& site) {
    Random random(derive(site.key, 1));
    if (!random.chance(0.75F)) return;
    const float heading = random.angle(), dx = std::cos(heading), dy = std::sin(heading);
    float way = 0, border = cell_at(adipocytes, site.at, rounding).border;
    for (int step = 0; step < 8 && border > 1.2F; ++step) {
      way += border * 0.9F;
      border = cell_at(adipocytes, {site.at.x + way * dx, site.at.y + way * dy}, rounding).border;
    }
    const Point at = {site.at.x + way * dx, site.at.y + way * dy};
    const float slope_x = cell_at(adipocytes, {at.x + 0.5F, at.y}, rounding).border - border;
    const float slope_y = cell_at(adipocytes, {at.x, at.y + 0.5F}, rounding).border - border;
    paint(canvas, flattened(at, site.key, scale, std::atan2(slope_x, -slope_y)));
  });
}

}  // namespace

void paint_fat(Canvas& canvas, Key key) {
  Random random(derive(key, 0));
  const float scale = random.between(0.9F, 1.12F), spacing = random.between(30.0F, 44.0F), rounding = 6;
  const Grid adipocytes(derive(key, 1), spacing, 0.6F);
  const float thickness = random.between(0.4F, 0.8F);
  // Fibrous septa run between lobules.
  const Collagen collagen(derive(key, 2), canvas.mpp(), random.between(0.2F, 0.7F));
  const Texture lobules(derive(key, 3), 60, canvas.mpp()), tear(derive(key, 4), 9, canvas.mpp());
  const float septa = random.chance(0.45F) ? random.between(0.05F, 0.22F) : 0;
  const auto septum = [&](Point p) {
    return septa > 0 ? 1 - smoothstep(septa, septa + 0.05F, std::abs(lobules(p) + 0.08F * tear(p))) : 0;
  };

  const float edge = canvas.edge();
  canvas.fill([&](Point p) {
    const float border = cell_at(adipocytes, p, rounding).border;
    const float half = thickness * (1 + 0.35F * tear(p));
    const float wall = 1 - smoothstep(half - edge, half + edge, border);
    const Stain ground = mix(Stain{0.012F, 0.02F}, Stain{0.1F, 0.44F + 0.1F * tear(p)}, wall);
    const float fibrous = septum(p);
    return fibrous > 0 ? mix(ground, collagen.at(p), fibrous) : ground;
  });

  scatter_fibroblasts(canvas, collagen, derive(key, 5), 11, scale, [&](Point p) { return 0.7F * septum(p); });
  paint_wall_nuclei(canvas, adipocytes, spacing, rounding, scale);
}

}  // namespace stainfold::phantom
