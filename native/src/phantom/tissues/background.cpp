#include "phantom/scatter.h"
#include "phantom/tissues/tissues.h"

namespace stainfold::phantom {

void paint_background(Canvas& canvas, Key key) {
  Random random(derive(key, 0));
  const Texture smear(derive(key, 1), 45, canvas.mpp()), dust(derive(key, 2), 2, canvas.mpp());
  const float film = random.between(0.004F, 0.03F);
  // Now and then the torn edge of the section reaches into the tile.
  const Collagen wisp(derive(key, 3), canvas.mpp(), 0.9F);
  const Texture shore(derive(key, 4), 34, canvas.mpp()), frayed(derive(key, 5), 6, canvas.mpp());
  const float threshold = random.chance(0.35F) ? random.between(0.3F, 0.75F) : 2.0F;
  canvas.fill([&](Point p) {
    const float veil = std::max(0.0F, film * (1 + smear(p) + 0.3F * dust(p)));
    const Stain glass = {0.6F * veil, veil};
    const float torn = smoothstep(threshold, threshold + 0.12F, shore(p) + 0.16F * frayed(p));
    return torn > 0 ? mix(glass, wisp.at(p), 0.8F * torn) : glass;
  });

  // Debris: specks and stray fibres, mostly out of focus.
  const float litter = random.between(0.02F, 0.3F);
  for_sites(canvas, Grid(derive(key, 6), 16, 1), [&](const Site& site) {
    Random speck(site.key);
    if (!speck.chance(litter)) return;
    const float size = speck.between(0.8F, 3.0F);
    paint(canvas, {.at = site.at,
                   .length = size * speck.between(1.0F, 3.5F),
                   .width = size,
                   .angle = speck.angle(),
                   .density = speck.between(0.05F, 0.35F),
                   .membrane = 0,
                   .irregularity = 0.4F,
                   .key = site.key});
  });
}

}  // namespace stainfold::phantom
