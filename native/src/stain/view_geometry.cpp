#include "stain/view_geometry.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "core/parallel.h"
#include "stain/device_pixels.h"
#include "stain/random.h"
#include "stain/simd/view_loops.h"

namespace stainfold {
namespace {

constexpr std::uint64_t kGeometryStream = 0x67656f6d;  // "geom"

}  // namespace

at::Tensor draw_view_geometry(const ViewGeometryOptions& options, std::int64_t views, std::uint64_t seed,
                              std::uint64_t step) {
  at::Generator generator = seeded_generator(mix(seed, kGeometryStream), step);
  const auto sign = [&] {
    const at::Tensor bit = at::randint(2, {views}, generator, at::kFloat) * 2 - 1;
    return options.turn ? bit : at::ones_like(bit);
  };
  const at::Tensor across = sign(), down = sign();
  const at::Tensor transposed = sign().lt(0);
  const at::Tensor side = options.crop + (1 - options.crop) * at::rand({views}, generator, at::kFloat);
  const at::Tensor centre = (at::rand({views, 2}, generator, at::kFloat) * 2 - 1) * (1 - side).unsqueeze(1);

  const at::Tensor x = across * side, y = down * side, zero = at::zeros_like(side);
  const auto pick = [&](const at::Tensor& turned, const at::Tensor& straight) {
    return at::where(transposed, turned, straight);
  };
  return at::stack({pick(zero, x), pick(x, zero), centre.select(1, 0),  //
                    pick(y, zero), pick(zero, y), centre.select(1, 1)},
                   1)
      .view({views, 2, 3});
}

at::Tensor sample_view_geometry(const at::Tensor& pixels, const at::Tensor& geometry) {
  constexpr std::int64_t kBilinear = 0, kBorder = 1;
  const at::Tensor grid = at::affine_grid_generator(geometry.to(pixels.device()), pixels.sizes(), false);
  return at::grid_sampler_2d(pixels, grid, kBilinear, kBorder, /*align_corners=*/false);
}

at::Tensor apply_view_geometry(const at::Tensor& pixels, const at::Tensor& geometry,
                               at::MemoryFormat format) {
  if (pixels.scalar_type() != at::kFloat) return sample_view_geometry(pixels, geometry);
  if (pixels.is_cuda()) return on_cuda::placed(pixels, geometry, format);
  const at::Tensor from = pixels.contiguous(), maps = geometry.to(at::kFloat).contiguous();
  at::Tensor result = at::empty(from.sizes(), from.options(), format);
  const float* const light = from.const_data_ptr<float>();
  const float* const numbers = maps.const_data_ptr<float>();
  float* const into = result.mutable_data_ptr<float>();
  const std::int64_t height = from.size(2), width = from.size(3), size = 3 * height * width;
  in_parallel(from.size(0), [&](std::int64_t view) {
    TurnView turn{{}, format == at::MemoryFormat::ChannelsLast};
    std::copy_n(numbers + 6 * view, 6, turn.map);
    turn_view(light + view * size, height, width, turn, into + view * size);
  });
  return result;
}

}  // namespace stainfold
