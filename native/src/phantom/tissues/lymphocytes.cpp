#include "phantom/scatter.h"
#include "phantom/tissues/tissues.h"

namespace stainfold::phantom {

void paint_lymphocytes(Canvas& canvas, Key key) {
  Random random(derive(key, 0));
  const float scale = random.between(0.92F, 1.1F);
  const Collagen reticulum(derive(key, 1), canvas.mpp(), random.between(0.3F, 0.9F));
  const Texture haze(derive(key, 2), 3.2F, canvas.mpp()), density(derive(key, 3), 30, canvas.mpp());
  const float strands = random.between(0.25F, 0.7F);
  canvas.fill([&](Point p) {
    const Stain fibre = reticulum.at(p);
    const float cloud = 1 + 0.35F * haze(p);
    return Stain{0.11F * cloud + strands * fibre.h, 0.13F * cloud + strands * fibre.e};
  });

  scatter_fibroblasts(canvas, reticulum, derive(key, 4), 17, scale, [](Point) { return 0.6F; });
  const float crowding = random.between(0.62F, 1.0F);
  scatter_lymphocytes(canvas, derive(key, 5), scale * random.between(6.9F, 8.6F), scale, [&](Point p) {
    return crowding * mix(0.55F, 1.0F, smoothstep(-0.5F, 0.2F, density(p)));
  });
}

}  // namespace stainfold::phantom
