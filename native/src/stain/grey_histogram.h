// Histograms of grey levels, and the look-up table that turns one into another.
#pragma once

#include <ATen/core/Tensor.h>

namespace stainfold {

// Shares, each channel's sum is 1; of the pixels in `counted`, if given.
at::Tensor grey_histogram(const at::Tensor& tiles,          // [B,H,W,3] uint8
                          const at::Tensor& counted = {});  // [B,H,W] bool -> [B,3,256] float64

// The level of the reference below which the same share of pixels lies, interpolated between the levels that
// the reference has (scikit-image's match_histograms).
at::Tensor matching_levels(const at::Tensor& histogram,   // [B,3,256] float64
                           const at::Tensor& reference);  // [3,256] float64 -> [B,3,256] float64

}  // namespace stainfold
