#include "phantom/scatter.h"
#include "phantom/tissues/tissues.h"

namespace stainfold::phantom {

void paint_stroma(Canvas& canvas, Key key) {
  Random random(derive(key, 0));
  const float scale = random.between(0.88F, 1.14F);
  const Collagen collagen(derive(key, 1), canvas.mpp(), random.between(0.1F, 0.85F));
  canvas.fill([&](Point p) { return collagen.at(p); });

  const float cellularity = random.between(0.25F, 0.9F);
  scatter_fibroblasts(canvas, collagen, derive(key, 2), 11.5F, scale, [&](Point) { return cellularity; });

  // Some stroma is inflamed, in clusters.
  const float infiltrate = random.chance(0.4F) ? random.between(0.1F, 0.5F) : 0.02F;
  const Texture cluster(derive(key, 3), 26, canvas.mpp());
  scatter_lymphocytes(canvas, derive(key, 4), 8.5F, scale,
                      [&](Point p) { return infiltrate * smoothstep(-0.1F, 0.5F, cluster(p)); });
}

}  // namespace stainfold::phantom
