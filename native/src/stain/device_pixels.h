// The passes over pixels that CUDA has kernels for: those of stain/tile_pixels.h, and the rendering of views.
// Nothing here waits for the device. Tiles are [B,H,W,3] uint8 on it.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>
#include <utility>

#include "stain/appearance.h"
#include "stain/focus.h"
#include "stain/recompression.h"
#include "stain/stain_plane.h"

namespace stainfold::on_cuda {

StainedMoments stained_moments(const at::Tensor& tiles, std::int64_t sampled_pixels);
at::Tensor principal_plane(const StainedMoments& moments);  // -> [B,3,2] float64

// The angles in the plane between which the stained pixels lie, [B,1] float64 each.
std::pair<at::Tensor, at::Tensor> extreme_angles(const at::Tensor& tiles, const StainedMoments& moments,
                                                 const at::Tensor& plane, std::int64_t sampled_pixels);

at::Tensor tile_peaks(const at::Tensor& tiles, const at::Tensor& maps);
at::Tensor mapped_tiles(const at::Tensor& tiles, const at::Tensor& maps, const at::Tensor& usable);
at::Tensor tile_lab_moments(const at::Tensor& tiles);
at::Tensor moved_lab_tiles(const at::Tensor& tiles, const at::Tensor& scale, const at::Tensor& shift,
                           const at::Tensor& usable);

// As apply_symmetry() and apply_view_geometry() have them.
at::Tensor turned(const at::Tensor& tiles, const at::Tensor& symmetry);
at::Tensor placed(const at::Tensor& pixels, const at::Tensor& geometry, at::MemoryFormat format);

// What is done to the views of a batch in one go: the curve to all, then focus to some, then the file to
// some.
struct Painting {
  struct Focused {
    at::Tensor rows;  // int64, CPU
    FocusProfiles focus;
  };
  struct Saved {
    at::Tensor rows;  // int64, CPU
    QuantisationSteps steps;
  };
  Curve curve;
  std::optional<Focused> focused;
  std::optional<Saved> saved;

  // Whether there is room for it, and its turn has not passed.
  bool takes(const FocusProfiles& focus) const;
};
at::Tensor painted(const at::Tensor& tiles, const Painting& painting);  // -> [V,3,H,W] float32 in [0,1]

}  // namespace stainfold::on_cuda
