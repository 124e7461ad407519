// One function a tissue class. Each paints the whole canvas; what varies between tiles (size, density,
// mixture) comes from the key.
#pragma once

#include "phantom/canvas.h"

namespace stainfold::phantom {

void paint_gland(Canvas& canvas, Key key);
void paint_stroma(Canvas& canvas, Key key);
void paint_tumour(Canvas& canvas, Key key);
void paint_lymphocytes(Canvas& canvas, Key key);
void paint_fat(Canvas& canvas, Key key);
void paint_background(Canvas& canvas, Key key);

}  // namespace stainfold::phantom
