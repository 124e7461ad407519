// The passes over pixels of the classical methods, from bytes: densities come out of a table of 256,
// percentiles out of histograms, and no tile is ever held as floating-point planes. The same numbers as the
// operations on densities within float32's rounding. Loops on the CPU; on CUDA the kernels of
// stain/device_pixels.h.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "stain/stain_plane.h"

namespace stainfold {

// Whether these passes serve the tiles: on the CPU and on CUDA.
bool read_from_bytes(const at::Tensor& tiles);

// Of the pixels that sample_grid() takes.
StainedMoments stained_moments(const at::Tensor& tiles,  // [B,H,W,3] uint8
                               std::int64_t sampled_pixels);

// What tells tissue from glass, of the same pixels.
struct StainedMean {
  at::Tensor counted;   // [B] number of stained ones, float64
  at::Tensor mean;      // [B,3] their densities
  std::int64_t pixels;  // stained or not
};
StainedMean stained_mean(const at::Tensor& tiles, std::int64_t sampled_pixels);  // [B,H,W,3] uint8

// The estimate of separate_stains() of the tiles' densities.
Separation separate_tile_stains(const at::Tensor& tiles,  // [B,H,W,3] uint8
                                const StainedMoments& moments, std::int64_t sampled_pixels);

// peak_concentrations() of C = maps OD.
at::Tensor tile_peaks(const at::Tensor& tiles,  // [B,H,W,3] uint8
                      const at::Tensor& maps);  // [B,S,3] -> [B,S] float32

// kGlass exp(-maps OD) as grey levels, fractions dropped; where `usable` is false the tile as it came.
at::Tensor mapped_tiles(const at::Tensor& tiles,    // [B,H,W,3] uint8
                        const at::Tensor& maps,     // [B,3,3]
                        const at::Tensor& usable);  // [B] bool -> [B,H,W,3] uint8

// Mean and deviation (of a sample) of L, a, b.
at::Tensor tile_lab_moments(const at::Tensor& tiles);  // [B,H,W,3] uint8 -> [B,6] float64

// lab scale + shift, as sRGB, fractions of a grey level dropped; where `usable` is false the tile as it came.
at::Tensor moved_lab_tiles(const at::Tensor& tiles,    // [B,H,W,3] uint8
                           const at::Tensor& scale,    // [B,3]
                           const at::Tensor& shift,    // [B,3]
                           const at::Tensor& usable);  // [B] bool -> [B,H,W,3] uint8

}  // namespace stainfold
