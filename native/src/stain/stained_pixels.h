// Which pixels of a tile hold stain, and whether they are enough.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace stainfold {

// A pixel enters an estimate when no channel's density is below this.
constexpr double kStainedDensity = 0.15;

// Fewer stained pixels than this tell more about noise than about stain.
double least_stained(std::int64_t pixels);

// [B,3,H,W] -> [B,3,P], the pixels of the finest grid of odd stride that holds no more than `most`. The
// stride is odd: an even one would see a single phase of the scanner's colour filter or of halved chroma,
// which on one real scanner turned vectors by a degree (median; 7 at the 95th percentile).
at::Tensor sample_grid(const at::Tensor& density, std::int64_t most);

// Whether a tile can be normalised at all: `little_tissue`, `weak_stain` for black and grey, else `ok`.
at::Tensor tissue_status(const at::Tensor& sample);  // [B,3,P] densities -> [B] uint8, a StainStatus

}  // namespace stainfold
