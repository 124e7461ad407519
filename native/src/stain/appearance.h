// Steps 1 to 4 of the manifold. What a lab does to a tile's stain is one affine map of optical density, and
// what its scanner's curve does is affine in the logarithm of light: a pixel costs nine multiplications and
// one exp.
#pragma once

#include <ATen/core/Tensor.h>

#include "stain/separation.h"

namespace stainfold {

// OD' = matrix OD + offset
struct StainMap {
  at::Tensor matrix;  // M' diag(a) M^+ + r (I - M M^+)  [V,3,3]
  at::Tensor offset;  // M' b  [V,3]
};

// M' is M with each vector turned, kept non-negative and of unit length; the residual's scale r is the
// geometric mean of a. A blank tile has no stain to change: its map is the identity.
StainMap stain_map(const Separation& separation,  // of B tiles
                   const at::Tensor& theta);      // [V,lab::kColumns], V = K*B view-major

// The tile as each view's lab would show it. Between glass and sensor light is J = (I+1)/256; the scanner
// makes (gain min(J, 1))^gamma of it and saturates at 1.
at::Tensor render_appearance(const at::Tensor& density,     // [B,3,H,W] float32
                             const Separation& separation,  // of the same tiles
                             const at::Tensor& theta);      // [V,lab::kColumns] -> [V,3,H,W] in [0,1]

}  // namespace stainfold
