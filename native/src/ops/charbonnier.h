// The constant of the reconstruction loss that its two implementations share.
#pragma once

namespace stainfold::ops {

// Half a grey level of 8 bits, about: quadratic below it, linear above.
constexpr double kSoftness = 1e-3;

}  // namespace stainfold::ops
