#include <cmath>
#include <vector>

#include "phantom/scatter.h"
#include "phantom/tissues/tissues.h"

namespace stainfold::phantom {
namespace {

constexpr float full_turn = 6.2831853F;

// A gland cut across: an outline in polar coordinates, a wall of columnar cells, a lumen.
struct Gland {
  Point at;
  float radius, wall;       // micrometres, to the basement membrane and inwards from it
  float oval, lobed;        // share of the radius
  float oval_at, lobed_at;  // radians
  int cells;                // around the wall
  float mucin;              // share of goblet cells
  Key key;

  float outline(float angle) const {
    return radius * (1 + oval * std::cos(2 * (angle - oval_at)) + lobed * std::cos(3 * (angle - lobed_at)));
  }
  Key cell_key(int cell) const { return derive(key, 7, cell); }
};

struct GlandPlace {
  const Gland* gland;  // null outside of all
  float depth;         // from the basement membrane inwards, micrometres; negative outside
  float angle;
};

std::vector<Gland> place_glands(const Canvas& canvas, Key key, float scale, Random& random) {
  const float largest = random.between(19.0F, 27.0F), mucin = random.between(0.0F, 0.55F);
  const float spacing = 2.05F * largest + random.between(4.0F, 16.0F), extent = canvas.extent();
  std::vector<Gland> glands;
  Grid(key, spacing, 0.22F)
      .within({-spacing, -spacing}, {extent + spacing, extent + spacing}, [&](const Site& site) {
        Random own(site.key);
        Gland gland{};
        gland.at = site.at;
        gland.radius = largest * own.between(0.72F, 1.0F);
        gland.wall = std::min(gland.radius * 0.78F, scale * own.between(13.0F, 18.0F));
        gland.oval = own.between(0.02F, 0.13F);
        gland.lobed = own.between(0.0F, 0.07F);
        gland.oval_at = own.angle();
        gland.lobed_at = own.angle();
        gland.cells =
            std::max(8, static_cast<int>(full_turn * (gland.radius - 5) / (scale * own.between(5.6F, 6.6F))));
        gland.mucin = mucin;
        gland.key = site.key;
        glands.push_back(gland);
      });
  return glands;
}

GlandPlace gland_at(const std::vector<Gland>& glands, Point p) {
  GlandPlace best{nullptr, -1e30F, 0};
  for (const Gland& gland : glands) {
    const float dx = p.x - gland.at.x, dy = p.y - gland.at.y, reach = gland.radius * 1.25F + 4;
    if (dx * dx + dy * dy > reach * reach) continue;
    const float angle = std::atan2(dy, dx), depth = gland.outline(angle) - std::sqrt(dx * dx + dy * dy);
    if (depth > best.depth) best = {&gland, depth, angle};
  }
  return best;
}

class Epithelium {
 public:
  Epithelium(Key key, float mpp, float edge, Random& random)
      : grain_(derive(key, 1), 1.3F, mpp),
        clouds_(derive(key, 2), 6, mpp),
        edge_(edge),
        eosin_(random.between(0.26F, 0.42F)),
        haematoxylin_(random.between(0.08F, 0.2F)),
        secretion_(random.chance(0.4F) ? random.between(0.05F, 0.25F) : 0.01F) {}

  Stain at(const GlandPlace& place, Point p) const {
    const Gland& gland = *place.gland;
    const float position = (place.angle / full_turn + 1) * static_cast<float>(gland.cells);
    const int cell = static_cast<int>(position) % gland.cells;
    const float within = position - std::floor(position);  // across the cell, 0 to 1
    const float cell_width = full_turn * (gland.radius - place.depth) / static_cast<float>(gland.cells);
    const float body =
        1 + 0.14F * grain_(p) + 0.14F * clouds_(p) + 0.3F * (unit(derive(gland.cell_key(cell), 1)) - 0.5F);
    const float apical = smoothstep(0.35F, 0.95F, place.depth / gland.wall);
    Stain stain = {haematoxylin_ * body * mix(1.1F, 0.8F, apical), eosin_ * body * mix(1.05F, 0.8F, apical)};

    // A goblet cell's mucin pushes the cytoplasm aside above its nucleus.
    const float across = (within - 0.5F) * 2, along = (place.depth / gland.wall - 0.68F) / 0.3F;
    if (unit(derive(gland.cell_key(cell), 2)) < gland.mucin) {
      const float cup = 1 - smoothstep(0.55F, 1.0F, std::sqrt(across * across * 0.8F + along * along));
      stain = mix(stain, {0.09F + 0.03F * grain_(p), 0.06F}, cup);
    }
    const float border = std::min(within, 1 - within) * cell_width;
    stain.e += 0.1F * (1 - smoothstep(0, 0.3F + edge_, border));
    stain.e += 0.16F * (1 - smoothstep(0.2F, 0.5F + edge_,
                                       std::abs(gland.wall - place.depth - 0.5F)));  // brush border

    const float lumen = smoothstep(-edge_, edge_, place.depth - gland.wall);
    const float curd = std::max(0.0F, secretion_ * (1 + 0.8F * clouds_(p)));
    return mix(stain, {0.3F * curd, curd + 0.01F}, lumen);
  }

 private:
  Texture grain_, clouds_;
  float edge_, eosin_, haematoxylin_, secretion_;
};

// Nuclei stand at the base of their cells, long axis towards the lumen.
void paint_nuclei(Canvas& canvas, const Gland& gland, float scale) {
  for (int cell = 0; cell < gland.cells; ++cell) {
    const Key key = gland.cell_key(cell);
    Random random(derive(key, 3));
    if (random.chance(0.05F)) continue;
    const float angle = (static_cast<float>(cell) + 0.5F + 0.16F * random.bell()) /
                        static_cast<float>(gland.cells) * full_turn;
    const bool goblet = unit(derive(key, 2)) < gland.mucin;
    const float from_base = (goblet ? 3.4F : 5.0F) * scale + (goblet ? 0.3F : 0.6F) * random.bell();
    const float distance = gland.outline(angle) - from_base;
    Nucleus nucleus =
        epithelial({gland.at.x + distance * std::cos(angle), gland.at.y + distance * std::sin(angle)}, key,
                   scale, angle);
    if (goblet) {  // squeezed flat
      nucleus.length *= 0.62F;
      nucleus.density *= 1.15F;
    }
    paint(canvas, nucleus);
  }
}

}  // namespace

void paint_gland(Canvas& canvas, Key key) {
  Random random(derive(key, 0));
  const float scale = random.between(0.88F, 1.14F);
  const std::vector<Gland> glands = place_glands(canvas, derive(key, 1), scale, random);
  const Collagen collagen(derive(key, 2), canvas.mpp(), random.between(0.2F, 0.8F));
  const Epithelium epithelium(derive(key, 3), canvas.mpp(), canvas.edge(), random);
  const float edge = canvas.edge();

  canvas.fill([&](Point p) {
    const GlandPlace place = gland_at(glands, p);
    const float inside = smoothstep(-edge, edge, place.depth);
    Stain stain = inside < 1 ? collagen.at(p) : Stain{0, 0};
    if (inside > 0) stain = mix(stain, epithelium.at(place, p), inside);
    stain.e +=
        0.14F * (1 - smoothstep(0.2F, 0.5F + edge, std::abs(place.depth + 0.5F)));  // basement membrane
    return stain;
  });

  const auto outside = [&](Point p) { return gland_at(glands, p).depth < -2.5F ? 1.0F : 0.0F; };
  scatter_fibroblasts(canvas, collagen, derive(key, 4), 11, scale,
                      [&](Point p) { return 0.65F * outside(p); });
  const float infiltrate = random.between(0.0F, 0.35F);
  scatter_lymphocytes(canvas, derive(key, 5), 9, scale, [&](Point p) { return infiltrate * outside(p); });
  for (const Gland& gland : glands) paint_nuclei(canvas, gland, scale);
}

}  // namespace stainfold::phantom
