// CIELAB of sRGB under D65, as scikit-image computes it.
#pragma once

#include <ATen/core/Tensor.h>

namespace stainfold {

// L 0..100, a and b about -100..100.
at::Tensor cielab_of_srgb(const at::Tensor& rgb);  // [N,3,...] floating, [0,1] -> same shape
// Colours outside sRGB are clipped to [0,1].
at::Tensor srgb_of_cielab(const at::Tensor& lab);  // [N,3,...] floating -> same shape

}  // namespace stainfold
