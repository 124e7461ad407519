// Transforms of light itself: fluorescence, CT, MRI. All work in place and clip to [0,1].
#pragma once

#include <ATen/core/Tensor.h>

#include "stainfold/transforms.h"

namespace stainfold {

void add_background(at::Tensor& pixels,         // [V,3,H,W] in [0,1]
                    const at::Tensor& offset);  // [V,3]

void change_window(at::Tensor& pixels,         // [V,3,H,W] in [0,1]
                   const at::Tensor& window);  // [V,6]: the low end, then ln(high end), of each channel

// The field is exp of c . (x, y, P2(x), xy, P2(y)), x and y from -1 to 1 over the tile.
void multiply_bias(at::Tensor& pixels,               // [V,3,H,W] in [0,1]
                   const at::Tensor& coefficients);  // [V,15]: 5 of each channel

// Each view's pattern is a function of its seed and of the pixel alone: no generator, so no host is waited
// for.
void add_noise(at::Tensor& pixels,  // [V,3,H,W] in [0,1]
               const transform::Noise& noise,
               const at::Tensor& deviation,  // [V,1] >= 0
               const at::Tensor& seeds);     // [V] int64 in [0,2^31), on the device

}  // namespace stainfold
