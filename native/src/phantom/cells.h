// Cells that fill the plane: the Voronoi cells of a grid's sites.
#pragma once

#include "phantom/canvas.h"
#include "phantom/sites.h"

namespace stainfold::phantom {

struct CellPlace {
  Site site;     // of the cell that holds the point
  float border;  // distance to the cell's border, micrometres, rounded in the corners
};

// rounding: radius over which borders merge in a corner, micrometres.
CellPlace cell_at(const Grid& grid, Point p, float rounding);

}  // namespace stainfold::phantom
