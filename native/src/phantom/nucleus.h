// Nuclei: noisy ellipses with a membrane, chromatin and nucleoli.
#pragma once

#include "phantom/canvas.h"

namespace stainfold::phantom {

struct Nucleus {
  Point at;
  float length, width;         // micrometres, whole axes
  float angle;                 // of the long axis
  float density;               // mean haematoxylin
  float chromatin = 0.25F;     // contrast of the chromatin, 0 to 1
  float grain = 1.2F;          // size of a clump, micrometres
  float membrane = 0.25F;      // how much darker the rim is
  float irregularity = 0.06F;  // of the outline, share of the radius
  int nucleoli = 0;
  Key key = 0;
};

void paint(Canvas& canvas, const Nucleus& nucleus);

// The kinds, sizes from histology: each varies about its mean.
Nucleus lymphocyte(Point at, Key key, float scale);                   // 7 um, round, dark, clumped
Nucleus fibroblast(Point at, Key key, float scale, float direction);  // spindle along the fibre
Nucleus epithelial(Point at, Key key, float scale, float direction);  // 9 x 5.5 um, columnar
Nucleus malignant(Point at, Key key, float scale);                    // 10 to 14 um, varied
Nucleus flattened(Point at, Key key, float scale, float direction);   // pressed against a membrane

// Condensed chromosomes of a dividing cell (plate, ring or two plates) in cleared cytoplasm.
void paint_mitosis(Canvas& canvas, Point at, Key key, float scale);

}  // namespace stainfold::phantom
