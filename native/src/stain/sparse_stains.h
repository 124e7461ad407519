// Stain separation by sparse non-negative factorisation, Vahadane et al. 2016: OD = M C with M >= 0 of unit
// columns, C >= 0, and a price on the amount of stain, so that a pixel prefers one stain to two.
#pragma once

#include "stain/separation.h"

namespace stainfold {

// The minimum over M of 1/2 |OD - M C|^2 + 0.1 |C|_1, by turns in C (two unknowns: solved exactly) and in M
// (coordinate by coordinate). Nothing is drawn: the pixels are a grid's, the start Ruifrok's matrix.
Separation sparse_stains(const at::Tensor& density,  // [B,3,H,W] float32
                         std::int64_t sampled_pixels);

// C >= 0 for a given M, with a price of 0.01.
at::Tensor sparse_concentrations(const at::Tensor& density,  // [B,3,H,W]
                                 const at::Tensor& stains);  // [B,3,2] unit columns -> [B,2,H,W]

}  // namespace stainfold
