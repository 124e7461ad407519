// Which pixels of a tile hold stain, and whether they are enough.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "stain/stained_density.h"

namespace stainfold {

// Fewer stained pixels than this tell more about noise than about stain.
double least_stained(std::int64_t pixels);

// The finest odd stride whose grid holds no more than `most` of a tile's pixels.
std::int64_t grid_stride(std::int64_t height, std::int64_t width, std::int64_t most);

// [B,3,H,W] -> [B,3,P], the pixels of the finest grid of odd stride that holds no more than `most`. The
// stride is odd: an even one would see a single phase of the scanner's colour filter or of halved chroma,
// which on one real scanner turned vectors by a degree (median; 7 at the 95th percentile).
at::Tensor sample_grid(const at::Tensor& density, std::int64_t most);

// Whether a tile can be normalised at all: `little_tissue`, `weak_stain` for black and grey, else `ok`.
at::Tensor tissue_status(const at::Tensor& sample);  // [B,3,P] densities -> [B] uint8, a StainStatus
at::Tensor tissue_status(const at::Tensor& stained,  // [B] number of stained pixels
                         const at::Tensor& mean,     // [B,3] their densities
                         std::int64_t pixels);       // stained or not

}  // namespace stainfold
