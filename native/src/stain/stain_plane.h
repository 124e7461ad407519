// Macenko's estimate after the pixels have been counted, and how they are: of densities by LibTorch's
// operations on any device (separation.cpp), of bytes in one pass each on the CPU (tile_pixels.cpp).
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "stain/separation.h"

namespace stainfold {

constexpr double kExtreme = 0.01;  // Macenko's alpha: the stains are the 1st and 99th percentile of angle

// Of the pixels that a tile is estimated from, all float64.
struct StainedMoments {
  at::Tensor counted;     // [B,1] number of stained ones
  at::Tensor mean;        // [B,3] their densities
  at::Tensor covariance;  // [B,3,3]
  at::Tensor positive;    // [B] mean of max(density, 0) over all pixels and channels
  std::int64_t pixels;    // stained or not
};

// The principal plane of each tile's stained pixels: axis 0 its second direction, axis 1 its first, turned to
// the side that the pixels are on, so that their angles do not wrap.
at::Tensor principal_plane(const StainedMoments& moments);  // -> [B,3,2]

// The stains at the angles `low` and `high` of the plane, or what stands in for them.
Separation separation_between(const StainedMoments& moments, const at::Tensor& plane,
                              const at::Tensor& low,    // [B,1] radians
                              const at::Tensor& high);  // [B,1]

}  // namespace stainfold
