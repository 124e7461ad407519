#include "phantom/nucleus.h"

#include <array>
#include <cmath>

namespace stainfold::phantom {

void paint(Canvas& canvas, const Nucleus& nucleus) {
  const float half_length = nucleus.length / 2, half_width = nucleus.width / 2;
  const float radius = std::sqrt(half_length * half_width);
  const float cosine = std::cos(nucleus.angle), sine = std::sin(nucleus.angle);
  const Texture outline(derive(nucleus.key, 1), radius * 1.25F, canvas.mpp());
  const Texture clumps(derive(nucleus.key, 2), nucleus.grain, canvas.mpp());
  const Texture fine(derive(nucleus.key, 3), nucleus.grain * 0.45F, canvas.mpp());

  struct Spot {
    float x, y, radius;
  };
  std::array<Spot, 3> nucleoli{};
  Random random(derive(nucleus.key, 4));
  for (int i = 0; i < nucleus.nucleoli; ++i) {
    nucleoli[i] = {half_length * random.between(-0.45F, 0.45F), half_width * random.between(-0.45F, 0.45F),
                   radius * random.between(0.16F, 0.26F)};
  }

  const float softness = canvas.edge();
  const float reach = half_length * (1 + nucleus.irregularity) + softness;
  canvas.repaint(nucleus.at, reach, [&](Point p, Stain before) {
    const float dx = p.x - nucleus.at.x, dy = p.y - nucleus.at.y;
    const float a = dx * cosine + dy * sine, b = dy * cosine - dx * sine;  // along and across
    const float x = a / half_length, y = b / half_width;
    const float from_centre = std::sqrt(x * x + y * y);
    if (from_centre > 1.6F) return before;
    // Towards the pole of an ellipse the same share of the radius is a longer way.
    const float here = from_centre > 0.05F ? std::sqrt(a * a + b * b) / from_centre : radius;
    const float inside =
        (1 + nucleus.irregularity * 1.5F * outline(a, b) - from_centre) * here;  // micrometres
    const float cover = smoothstep(-softness, softness, inside);
    if (cover == 0) return before;

    const float rim = bump(inside - 0.4F, 1.0F);
    float chromatin =
        1 + nucleus.chromatin * (1.1F * clumps(a, b) + 0.5F * fine(a, b)) + nucleus.membrane * rim;
    float eosin = 0.16F;
    for (int i = 0; i < nucleus.nucleoli; ++i) {
      const Spot& spot = nucleoli[i];
      const float distance =
          ((a - spot.x) * (a - spot.x) + (b - spot.y) * (b - spot.y)) / (spot.radius * spot.radius);
      const float dark = bump(distance, 1.9F);
      chromatin += 0.75F * dark;
      eosin += 0.25F * dark;
    }
    // The nucleus takes the place of the cytoplasm, except for what lies above and below it in the section.
    return mix(before,
               {nucleus.density * std::max(0.15F, chromatin) + 0.15F * before.h, eosin + 0.35F * before.e},
               cover);
  });
}

Nucleus lymphocyte(Point at, Key key, float scale) {
  Random random(key);
  const float diameter = scale * random.between(5.8F, 8.0F);
  return {.at = at,
          .length = diameter,
          .width = diameter * random.between(0.8F, 1.0F),
          .angle = random.angle(),
          .density = random.between(0.85F, 1.2F),
          .chromatin = random.between(0.35F, 0.6F),
          .grain = random.between(1.5F, 2.2F),
          .membrane = 0.18F,
          .irregularity = 0.09F,
          .key = key};
}

Nucleus fibroblast(Point at, Key key, float scale, float direction) {
  Random random(key);
  const float length = scale * random.between(8.0F, 14.5F);
  return {.at = at,
          .length = length,
          .width = scale * random.between(2.2F, 3.8F),
          .angle = direction + 0.16F * random.bell(),
          .density = random.between(0.65F, 1.15F),
          .chromatin = 0.2F,
          .grain = 1.3F,
          .membrane = 0.15F,
          .irregularity = 0.12F,
          .key = key};
}

Nucleus epithelial(Point at, Key key, float scale, float direction) {
  Random random(key);
  return {.at = at,
          .length = scale * random.between(7.6F, 10.2F),
          .width = scale * random.between(4.8F, 6.2F),
          .angle = direction + 0.13F * random.bell(),
          .density = random.between(0.7F, 1.0F),
          .chromatin = random.between(0.18F, 0.34F),
          .grain = 1.3F,
          .membrane = random.between(0.2F, 0.45F),
          .irregularity = 0.06F,
          .nucleoli = random.chance(0.3F) ? 1 : 0,
          .key = key};
}

Nucleus malignant(Point at, Key key, float scale) {
  Random random(key);
  const float diameter = scale * std::min(15.5F, 11.2F * std::exp(0.15F * random.bell()));
  const float elongation = random.between(1.0F, 1.35F);
  // Vesicular nuclei are pale with a sharp membrane and nucleoli; hyperchromatic ones are dark all over.
  const bool vesicular = random.chance(0.6F);
  return {.at = at,
          .length = diameter * std::sqrt(elongation),
          .width = diameter / std::sqrt(elongation),
          .angle = random.angle(),
          .density = vesicular ? random.between(0.5F, 0.8F) : random.between(0.85F, 1.3F),
          .chromatin = random.between(0.35F, 0.7F),
          .grain = random.between(1.3F, 2.2F),
          .membrane = vesicular ? random.between(0.6F, 1.0F) : 0.3F,
          .irregularity = random.between(0.05F, 0.14F),
          .nucleoli = vesicular             ? 1 + static_cast<int>(random.uniform() * 2.3F)
                      : random.chance(0.3F) ? 1
                                            : 0,
          .key = key};
}

Nucleus flattened(Point at, Key key, float scale, float direction) {
  Nucleus nucleus = fibroblast(at, key, scale, direction);
  nucleus.width = scale * 2.4F;
  nucleus.density *= 1.15F;
  return nucleus;
}

void paint_mitosis(Canvas& canvas, Point at, Key key, float scale) {
  Random random(key);
  const float clearing = scale * 6.0F;
  canvas.repaint(at, clearing, [&](Point p, Stain before) {
    const float distance = std::hypot(p.x - at.x, p.y - at.y) / clearing;
    const float cover = 0.75F * (1 - smoothstep(0.7F, 1.0F, distance));
    return mix(before, {0.1F, 0.2F}, cover);
  });
  const float axis = random.angle();
  const float apart =
      random.chance(0.3F) ? scale * random.between(2.2F, 3.2F) : 0;  // anaphase, else metaphase
  for (const float side : {-1.0F, 1.0F}) {
    if (apart == 0 && side > 0) break;
    paint(canvas, {.at = {at.x - side * apart * std::sin(axis), at.y + side * apart * std::cos(axis)},
                   .length = scale * random.between(6.5F, 9.0F),
                   .width = scale * random.between(2.4F, 4.2F),
                   .angle = axis,
                   .density = 1.6F,
                   .chromatin = 0.12F,
                   .grain = 1.2F,
                   .membrane = 0,
                   .irregularity = 0.32F,
                   .key = derive(key, 5, side > 0)});
  }
}

}  // namespace stainfold::phantom
