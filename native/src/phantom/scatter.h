// Cells strewn over a tissue, where share(Point), 0 to 1, lets them be.
#pragma once

#include "phantom/collagen.h"
#include "phantom/nucleus.h"
#include "phantom/sites.h"

namespace stainfold::phantom {

// Sites on the canvas and near enough to reach into it.
template <class Visit>
void for_sites(const Canvas& canvas, const Grid& grid, const Visit& visit) {
  constexpr float margin = 13;  // micrometres: more than half of the largest nucleus
  grid.within({-margin, -margin}, {canvas.extent() + margin, canvas.extent() + margin}, visit);
}

template <class Share>
void scatter_fibroblasts(Canvas& canvas, const Collagen& collagen, Key key, float spacing, float scale,
                         const Share& share) {
  for_sites(canvas, Grid(key, spacing, 0.95F), [&](const Site& site) {
    if (unit(derive(site.key, 1)) >= share(site.at)) return;
    paint(canvas, fibroblast(site.at, site.key, scale, collagen.direction(site.at)));
  });
}

template <class Share>
void scatter_lymphocytes(Canvas& canvas, Key key, float spacing, float scale, const Share& share) {
  for_sites(canvas, Grid(key, spacing, 0.55F), [&](const Site& site) {
    if (unit(derive(site.key, 1)) >= share(site.at)) return;
    paint(canvas, lymphocyte(site.at, site.key, scale));
  });
}

}  // namespace stainfold::phantom
