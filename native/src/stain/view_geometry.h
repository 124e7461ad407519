// Where on the tile each view looks: its own flip or rotation and its own part. Content that turns or shifts
// is the same content, so views that differ in this teach the encoder what a tissue is rather than where its
// edges lie.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace stainfold {

struct ViewGeometryOptions {
  bool turn = true;   // each view flipped and rotated by 90 degrees on its own
  double crop = 1.0;  // least side of the part that a view shows, as a share of the tile's, in (0,1]
};

// One affine map a view, in grid_sampler's coordinates: where in the tile each of its pixels is taken from.
// A function of (options, seed, step) alone. [V,2,3] float32 on the CPU.
at::Tensor draw_view_geometry(const ViewGeometryOptions& options, std::int64_t views, std::uint64_t seed,
                              std::uint64_t step);

// Bilinear, edges repeated; a symmetry of the square moves pixels alone.
at::Tensor apply_view_geometry(
    const at::Tensor& pixels,                                 // [V,3,H,W] float32, square for turns
    const at::Tensor& geometry,                               // [V,2,3]
    at::MemoryFormat format = at::MemoryFormat::Contiguous);  // or ChannelsLast -> [V,3,H,W]

// The same by LibTorch's sampler, on any device.
at::Tensor sample_view_geometry(const at::Tensor& pixels, const at::Tensor& geometry);

}  // namespace stainfold
