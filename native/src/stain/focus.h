// A scanner's focus: blur, and the sharpening that many scanners add.
#pragma once

#include <ATen/core/Tensor.h>

namespace stainfold {

// amount > 0 blurs with a Gaussian of sigma = amount * sigma_max pixels; amount < 0 is an unsharp mask,
// |amount| of what a Gaussian of sigma_max takes away added on top. Edges are replicated, a constant image is
// unchanged, and the result is clipped to [0,1].
at::Tensor refocus(const at::Tensor& pixels,  // [V,3,H,W] float32 in [0,1]
                   const at::Tensor& amount,  // [V] float32 in [-1,1], CPU
                   double sigma_max);         // > 0 -> [V,3,H,W]

}  // namespace stainfold
