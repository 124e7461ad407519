// Which pixels are tissue and which glass, for methods that would take the one for the other.
#pragma once

#include <ATen/core/Tensor.h>

namespace stainfold {

// 0 on glass, 1 on tissue: a smooth step of the density of the pixel's darkest channel, since either stain
// darkens one of them, about the density from which a pixel counts as stained. It is a function of the colour
// alone: where tissue fades into glass it fades as well, and the parts of a slide fit together.
at::Tensor tissue_weight(const at::Tensor& tiles);  // [B,H,W,3] uint8 -> [B,H,W] float32

// The tissue of one picture on the glass of the other.
at::Tensor tissue_over(const at::Tensor& changed,  // [B,H,W,3] uint8
                       const at::Tensor& tiles);   // [B,H,W,3] uint8 -> the same

// Mean and deviation (of a sample) of L, a, b over the pixels that are tissue.
at::Tensor tissue_lab_moments(const at::Tensor& lab,      // [B,3,P] float32
                              const at::Tensor& tissue);  // [B,P] bool -> [B,6] float64

}  // namespace stainfold
