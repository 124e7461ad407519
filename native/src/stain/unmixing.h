// OD = M C for the methods that have stains.
#pragma once

#include <ATen/core/Tensor.h>

#include "stainfold/stain.h"

namespace stainfold {

// uint8 -> grey levels
at::Tensor grey_planes(const at::Tensor& tiles);  // [B,H,W,3] uint8 -> [B,3,H,W] float32 contiguous
// Grey levels -> uint8; what is brighter than white is white, fractions are cut off as torchstain does.
at::Tensor grey_tiles(const at::Tensor& planes);  // [B,3,H,W] -> [B,H,W,3] uint8

bool has_stains(StainMethod method);

struct EstimatedStains {
  at::Tensor matrix;  // M [B,3,S] float32
  at::Tensor status;  // [B] uint8, a StainStatus
};
EstimatedStains estimate_stains(const at::Tensor& density,  // [B,3,H,W] float32
                                const StainOptions& options);

// The same of macenko and ruifrok, from bytes.
EstimatedStains estimate_tile_stains(const at::Tensor& tiles,  // [B,H,W,3] uint8
                                     const StainOptions& options);

// The linear map of least squares, C = M^+ OD: [B,3,S] -> [B,S,3]; S 2 or 3.
at::Tensor least_squares(const at::Tensor& stains);

// C by the method's own rule: least squares, or Vahadane's sparse one.
at::Tensor measured(const at::Tensor& density,  // [B,3,H,W]
                    const at::Tensor& stains,   // [B,3,S]
                    StainMethod method);        // -> [B,S,H,W]

}  // namespace stainfold
