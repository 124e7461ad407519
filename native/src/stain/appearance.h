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
                   const at::Tensor& theta,  // [V,10 or more]: the first ten of lab::, V = K*B view-major
                   // the same on the CPU, if it is at hand: a GPU's matrix exponential is waited for
                   const at::Tensor& host_theta = {});

// The identity, for pictures whose stain is not what changes.
StainMap no_stain_change(std::int64_t views, const at::TensorOptions& options);

// Of Ruifrok's haematoxylin, eosin and DAB, whatever the tile holds: R diag(1 + x) R^-1, R b.
StainMap hed_map(const at::Tensor& theta);  // [V,6]: x of each stain, then b

// The tile as each view's lab would show it. Between glass and sensor light is J = (I+1)/256; the scanner
// makes (gain min(J, 1))^gamma of it and saturates at 1.
at::Tensor render_appearance(const at::Tensor& density,     // [B,3,H,W] float32
                             const Separation& separation,  // of the same tiles
                             const at::Tensor& theta);      // [V,lab::kColumns] -> [V,3,H,W] in [0,1]

// A pixel's way through stain and scanner: ln(256/255 light) = min(slope OD + intercept, brightest).
struct Curve {
  at::Tensor slope;      // [V,3,3]
  at::Tensor intercept;  // [V,3]
  at::Tensor brightest;  // [V,3]
};
Curve curve_of(const StainMap& map,
               const at::Tensor& log_gain,    // [V,3]
               const at::Tensor& log_gamma);  // [V,1]

// The same from its parts.
at::Tensor render_curve(const at::Tensor& density,  // [B,3,H,W] float32
                        const StainMap& map,
                        const at::Tensor& log_gain,    // [V,3]
                        const at::Tensor& log_gamma);  // [V,1] -> [V,3,H,W] in [0,1]

}  // namespace stainfold
