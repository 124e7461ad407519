#pragma once

#include <ATen/core/Tensor.h>

namespace stainfold {

// Of the stained places (a sixteenth of the side wide), as columns: 11 of stain, 1 of density, 1 of blur, as
// outliers.h lists them; the share of places that are stained; the share of the tile that is black padding.
at::Tensor tissue_features(const at::Tensor& pixels);  // [N,3,S,S] in [0,1], S % 32 == 0 -> [N,15] float32

}  // namespace stainfold
