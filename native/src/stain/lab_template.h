// Shen et al., "RandStainNA", MICCAI 2022: a tile takes the colours of a template that exists in no slide.
#pragma once

#include <ATen/core/Tensor.h>

#include "stainfold/transforms.h"

namespace stainfold {

// Reinhard's transfer in CIELAB. Blank tiles pass through, and contrast grows or falls by at most a factor of
// five: a tile of one colour has noise only.
at::Tensor to_lab_template(const at::Tensor& pixels,   // [B,3,H,W] in [0,1]
                           const at::Tensor& target);  // [V,6] mean, deviation; V = K*B -> [V,3,H,W]

// Mean and deviation of each tile in CIELAB, over its pixels: what the prior of templates is fitted to.
at::Tensor lab_statistics(const at::Tensor& tiles);  // [B,H,W,3] uint8 -> [B,6] float64

}  // namespace stainfold
