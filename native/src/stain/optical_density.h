// Optical density, natural logarithm: OD = -ln((I+1)/I0), Beer-Lambert's law with torchstain's +1 against
// log(0).
#pragma once

#include <ATen/core/Tensor.h>

namespace stainfold {

// The grey level of unstained glass that Macenko's reference implementations assume.
constexpr double kGlass = 240.0;
// Brighter than glass has negative density, down to that of grey level 255.
constexpr double kGreyLevels = 256.0;

// -> same shape, float32 (float64 for float64 input)
at::Tensor optical_density(const at::Tensor& grey);  // any shape, grey levels 0..255, uint8 or floating

}  // namespace stainfold
