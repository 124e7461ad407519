#include "stain/unmixing.h"

#include <ATen/ATen.h>

#include "core/checks.h"
#include "stain/separation.h"
#include "stain/sparse_stains.h"
#include "stain/stained_pixels.h"
#include "stain/tile_pixels.h"

namespace stainfold {
namespace {

at::Tensor cross_product(const at::Tensor& a, const at::Tensor& b) { return at::linalg_cross(a, b, 1); }

}  // namespace

at::Tensor grey_planes(const at::Tensor& tiles) {
  return tiles.permute({0, 3, 1, 2}).to(at::kFloat, false, false, at::MemoryFormat::Contiguous);
}

at::Tensor grey_tiles(const at::Tensor& planes) {
  return planes.clamp(0, 255).to(at::kByte).permute({0, 2, 3, 1}).contiguous();
}

bool has_stains(StainMethod method) {
  return method == StainMethod::macenko || method == StainMethod::vahadane || method == StainMethod::ruifrok;
}

namespace {

// A tile that holds tissue but no stains that could be told apart is weak.
EstimatedStains judged(const Separation& separation, const at::Tensor& tissue) {
  const at::Tensor refused = separation.status.ne(static_cast<std::int64_t>(SeparationStatus::estimated))
                                 .logical_and_(tissue.eq(static_cast<std::int64_t>(StainStatus::ok)));
  const at::Tensor weak =
      at::scalar_tensor(static_cast<std::uint8_t>(StainStatus::weak_stain), tissue.options());
  return {separation.stains, at::where(refused, weak, tissue)};
}

EstimatedStains fixed_stains(const StainOptions& options, const at::Tensor& tissue,
                             const at::TensorOptions& placed) {
  return {stain_matrix(options.stains).to(placed).unsqueeze(0).expand({tissue.size(0), -1, -1}), tissue};
}

}  // namespace

EstimatedStains estimate_tile_stains(const at::Tensor& tiles, const StainOptions& options) {
  const StainedMoments moments = stained_moments(tiles, options.sampled_pixels);
  const at::Tensor tissue = tissue_status(moments.counted.squeeze(1), moments.mean, moments.pixels);
  return options.method == StainMethod::ruifrok
             ? fixed_stains(options, tissue, tiles.options().dtype(at::kFloat))
             : judged(separate_tile_stains(tiles, moments, options.sampled_pixels), tissue);
}

EstimatedStains estimate_stains(const at::Tensor& density, const StainOptions& options) {
  const at::Tensor tissue = tissue_status(sample_grid(density, options.sampled_pixels));
  if (options.method == StainMethod::ruifrok) return fixed_stains(options, tissue, density.options());
  const Separation separation = options.method == StainMethod::vahadane
                                    ? sparse_stains(density, options.sampled_pixels)
                                    : separate_stains(density, options.sampled_pixels);
  return judged(separation, tissue);
}

at::Tensor least_squares(const at::Tensor& stains) {
  if (stains.size(2) == 2) return pseudo_inverse(stains);
  check_shape(stains, "stains", {-1, 3, 3});
  const at::Tensor a = stains.select(2, 0), b = stains.select(2, 1), c = stains.select(2, 2);
  const at::Tensor determinant = (a * cross_product(b, c)).sum(1).view({-1, 1, 1});
  return at::stack({cross_product(b, c), cross_product(c, a), cross_product(a, b)}, 1) / determinant;
}

at::Tensor measured(const at::Tensor& density, const at::Tensor& stains, StainMethod method) {
  if (method == StainMethod::vahadane) return sparse_concentrations(density, stains);
  return at::bmm(least_squares(stains), density.flatten(2))
      .view({density.size(0), stains.size(2), density.size(2), density.size(3)});
}

}  // namespace stainfold
