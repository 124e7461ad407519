// Stain separation, OD = M C: Macenko et al. 2009, every tile of a batch at once.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <limits>

namespace stainfold {

// What a tile's stain matrix is.
enum class SeparationStatus : std::uint8_t {
  estimated = 0,  // Macenko's, from the tile itself
  fallback = 1,   // Ruifrok's: too little stain, or an estimate that H&E cannot have
  blank = 2,      // Ruifrok's, and nothing to stain: glass
};

struct Separation {
  at::Tensor stains;  // M [B,3,2] float32: columns haematoxylin and eosin, unit length
  at::Tensor status;  // [B] uint8, a SeparationStatus
};

// Pixels a tile that the estimate looks at when speed counts: the vectors turn by half a degree
// (median over real tiles).
constexpr std::int64_t kSampledPixels = 4096;
constexpr std::int64_t kAllPixels = std::numeric_limits<std::int64_t>::max();

// Looks at the pixels of the finest grid of odd stride that holds no more than `sampled_pixels`. Never throws
// on content.
Separation separate_stains(const at::Tensor& density,  // [B,3,H,W] float32 or float64
                           std::int64_t sampled_pixels = kSampledPixels);

// Ruifrok & Johnston 2001: haematoxylin and eosin, unit length.
at::Tensor ruifrok_stains(const at::TensorOptions& options);  // -> [3,2]

// M^+ = (M^T M)^-1 M^T. Columns must not be parallel; those of separate_stains() are not.
at::Tensor pseudo_inverse(const at::Tensor& stains);  // [B,3,2] -> [B,2,3]

// Concentrations by least squares, C = M^+ OD.
at::Tensor concentrations(const at::Tensor& density,  // [B,3,H,W]
                          const at::Tensor& stains);  // [B,3,2] -> [B,2,H,W]

// The 99th percentile of each stain's concentration over all pixels: Macenko's maxC, by nearest rank.
at::Tensor peak_concentrations(const at::Tensor& concentrations);  // [B,S,H,W] -> [B,S]

// The rank, from 0, of that percentile among a tile's pixels.
std::int64_t peak_rank(std::int64_t pixels);

}  // namespace stainfold
