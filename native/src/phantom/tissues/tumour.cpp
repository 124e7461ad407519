#include "phantom/cells.h"
#include "phantom/scatter.h"
#include "phantom/tissues/tissues.h"

namespace stainfold::phantom {

void paint_tumour(Canvas& canvas, Key key) {
  Random random(derive(key, 0));
  const float scale = random.between(0.88F, 1.14F);
  const float spacing = scale * random.between(11.5F, 16.0F);
  const float stroma_share = random.chance(0.55F) ? random.between(0.1F, 0.5F) : 0.0F;
  const float basophilia = random.between(0.08F, 0.3F), eosinophilia = random.between(0.24F, 0.52F);

  const Collagen collagen(derive(key, 1), canvas.mpp(), random.between(0.1F, 0.6F));
  const Texture nests(derive(key, 2), 44, canvas.mpp()), outline(derive(key, 3), 13, canvas.mpp());
  const Texture granules(derive(key, 4), 1.1F, canvas.mpp()), clouds(derive(key, 5), 5, canvas.mpp());
  const float threshold = mix(-1.2F, 0.35F, stroma_share);
  // 1 within a nest of tumour cells, 0 in the stroma between nests.
  const auto nest = [&](Point p, float softness) {
    return smoothstep(threshold - softness, threshold + softness, nests(p) + 0.22F * outline(p));
  };

  const Grid cells(derive(key, 6), spacing, 0.62F);
  canvas.fill([&](Point p) {
    const float inside = nest(p, 0.03F);
    Stain ground = inside < 1 ? collagen.at(p) : Stain{0, 0};
    if (inside > 0) {
      const CellPlace cell = cell_at(cells, p, 2.0F);
      const float own = unit(derive(cell.site.key, 2)) - 0.5F;  // cells differ from their neighbours
      const float body = 1 + 0.35F * own + 0.24F * granules(p) + 0.2F * clouds(p);
      const float membrane = 1 - smoothstep(0.2F, 0.5F + canvas.edge(), cell.border);
      const Stain cytoplasm = {basophilia * body, eosinophilia * body + 0.1F * membrane};
      ground = mix(ground, cytoplasm, inside);
    }
    return ground;
  });

  scatter_fibroblasts(canvas, collagen, derive(key, 7), 12, scale,
                      [&](Point p) { return 0.6F * (1 - nest(p, 0.03F)); });
  const float infiltrate = random.chance(0.35F) ? random.between(0.05F, 0.4F) : 0.02F;
  scatter_lymphocytes(canvas, derive(key, 8), 9, scale,
                      [&](Point p) { return infiltrate * (1 - nest(p, 0.1F)); });

  const float mitotic_rate = random.between(0.0F, 0.07F);
  for_sites(canvas, cells, [&](const Site& site) {
    if (nest(site.at, 0.05F) < 0.5F) return;
    const float fate = unit(derive(site.key, 3));
    if (fate < mitotic_rate) {
      paint_mitosis(canvas, site.at, site.key, scale);
    } else if (fate < 0.94F) {  // some cells are cut beside their nucleus
      paint(canvas, malignant(site.at, site.key, scale));
    }
  });
}

}  // namespace stainfold::phantom
