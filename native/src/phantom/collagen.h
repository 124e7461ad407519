// Collagen: wavy eosinophilic fibres in bundles, with clefts between them. The ground of every tissue's
// stroma.
#pragma once

#include "phantom/canvas.h"

namespace stainfold::phantom {

class Collagen {
 public:
  // looseness: 0 is dense, 1 is oedematous with wide clefts.
  Collagen(Key key, float mpp, float looseness);

  Stain at(Point p) const;
  float direction(Point p) const;  // of the fibre, radians

 private:
  Point along_fibre(Point p) const;  // (along, across), micrometres

  float cosine_, sine_, looseness_, amplitude_;
  Texture wave_, ripple_, bundle_, fibre_, fibril_, cleft_;
};

}  // namespace stainfold::phantom
