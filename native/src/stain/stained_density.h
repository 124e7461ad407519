// The density from which a pixel counts as stained, for files that know no LibTorch.
#pragma once

namespace stainfold {

// A pixel enters an estimate when no channel's density is below this.
constexpr double kStainedDensity = 0.15;

}  // namespace stainfold
