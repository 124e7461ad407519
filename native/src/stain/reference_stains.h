// Stain separation that is held to a reference: other stains than H&E.
#pragma once

#include "stain/separation.h"
#include "stainfold/transforms.h"

namespace stainfold {

// As separate_stains(), but a tile's stains are the reference's where they cannot be estimated, where the
// estimate lies further than `tolerance` from the reference, or always, where nothing is to be estimated.
Separation separate_stains_like(const transform::Stain& stain,
                                const at::Tensor& density);  // [B,3,H,W] float32

// The same of a separation that has been made.
Separation held_to_reference(const transform::Stain& stain, Separation found);

}  // namespace stainfold
