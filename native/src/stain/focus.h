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

// The kernel of each view is identity + weight (profile x profile - identity).
struct FocusProfiles {
  at::Tensor profile;  // [V,2r+1]
  at::Tensor weight;   // [V], negative where it sharpens
};
FocusProfiles focus_profiles(const at::Tensor& amount, double sigma_max);

}  // namespace stainfold
