#include "stain/device_pixels.h"

#include <ATen/ATen.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "core/cuda/check.h"
#include "core/upload.h"
#include "stain/cuda/launch.h"
#include "stain/jpeg_tables.h"
#include "stain/level_tables.h"
#include "stain/optical_density.h"
#include "stain/simd/density_loops.h"
#include "stain/stained_pixels.h"

namespace stainfold::on_cuda {
namespace {

LevelTable on_device(const Levels& levels) {
  LevelTable table;
  std::copy(levels.begin(), levels.end(), table.value);
  return table;
}

ColourMatrices colour_matrices() {
  ColourMatrices result;
  std::copy_n(colour_spaces().xyz_of_rgb.begin(), 9, result.xyz_of_rgb);
  std::copy_n(colour_spaces().rgb_of_xyz.begin(), 9, result.rgb_of_xyz);
  return result;
}

// Tiles in memory, their device chosen, and the stream that what follows goes to.
struct Batch {
  at::Tensor tiles;
  c10::cuda::CUDAGuard device;
  std::int32_t count, height, width;
  cudaStream_t stream;

  explicit Batch(const at::Tensor& given)
      : tiles(given.contiguous()),
        device(tiles.device()),
        count(static_cast<std::int32_t>(tiles.size(0))),
        height(static_cast<std::int32_t>(tiles.size(1))),
        width(static_cast<std::int32_t>(tiles.size(2))),
        stream(c10::cuda::getCurrentCUDAStream()) {}

  const std::uint8_t* bytes() const { return tiles.const_data_ptr<std::uint8_t>(); }
  std::int32_t pixels() const { return height * width; }
  at::Tensor numbers(at::IntArrayRef shape, at::ScalarType type) const {
    return at::empty(shape, tiles.options().dtype(type));
  }
  PixelGrid grid(std::int64_t sampled_pixels) const {
    const auto stride = static_cast<std::int32_t>(grid_stride(height, width, sampled_pixels));
    const std::int32_t across = (width - 1) / stride + 1;
    return {pixels(), width, stride, across, across * ((height - 1) / stride + 1)};
  }
};

// Per view its place among `rows`, or -1.
at::Tensor places_on_device(const at::Tensor& rows, std::int64_t views, at::Device device) {
  const at::Tensor places = at::full({views}, -1, at::kInt);
  places.index_copy_(0, rows, at::arange(rows.numel(), at::kInt));
  return upload(places, device);
}

at::Tensor rows_on_device(const at::Tensor& values, at::Device device) {
  return upload(values.to(at::kFloat).contiguous(), device);
}

// float32, contiguous, and kept alive for the launch.
at::Tensor floats(const at::Tensor& values) { return values.to(at::kFloat).contiguous(); }

}  // namespace

StainedMoments stained_moments(const at::Tensor& tiles, std::int64_t sampled_pixels) {
  const Batch batch(tiles);
  const PixelGrid grid = batch.grid(sampled_pixels);
  const std::int64_t count = batch.count;
  const StainedMoments result = {
      batch.numbers({count, 1}, at::kDouble), batch.numbers({count, 3}, at::kDouble),
      batch.numbers({count, 3, 3}, at::kDouble), batch.numbers({count}, at::kDouble), grid.points};
  cuda::check(stain_kernels::moments(batch.bytes(), batch.count, grid, on_device(density_levels()),
                                     DensityMoments::kCentre, result.counted.mutable_data_ptr<double>(),
                                     result.mean.mutable_data_ptr<double>(),
                                     result.covariance.mutable_data_ptr<double>(),
                                     result.positive.mutable_data_ptr<double>(), batch.stream),
              "the moments of stained pixels");
  return result;
}

at::Tensor principal_plane(const StainedMoments& moments) {
  const c10::cuda::CUDAGuard device(moments.mean.device());
  const at::Tensor covariance = moments.covariance.contiguous(), mean = moments.mean.contiguous();
  at::Tensor result = at::empty({mean.size(0), 3, 2}, mean.options());
  cuda::check(stain_kernels::axes(covariance.const_data_ptr<double>(), mean.const_data_ptr<double>(),
                                  static_cast<std::int32_t>(mean.size(0)), result.mutable_data_ptr<double>(),
                                  c10::cuda::getCurrentCUDAStream()),
              "the principal planes of stained pixels");
  return result;
}

std::pair<at::Tensor, at::Tensor> extreme_angles(const at::Tensor& tiles, const StainedMoments& moments,
                                                 const at::Tensor& plane, std::int64_t sampled_pixels) {
  const Batch batch(tiles);
  const at::Tensor axes = plane.contiguous(), counted = moments.counted.contiguous();
  at::Tensor low = batch.numbers({batch.count, 1}, at::kDouble), high = at::empty_like(low);
  cuda::check(stain_kernels::angles(batch.bytes(), batch.count, batch.grid(sampled_pixels),
                                    on_device(density_levels()), counted.const_data_ptr<double>(),
                                    axes.const_data_ptr<double>(), kExtreme, low.mutable_data_ptr<double>(),
                                    high.mutable_data_ptr<double>(), batch.stream),
              "the angles of stained pixels");
  return {low, high};
}

at::Tensor tile_peaks(const at::Tensor& tiles, const at::Tensor& maps) {
  const Batch batch(tiles);
  const at::Tensor rows = floats(maps);
  at::Tensor peaks = batch.numbers({batch.count, rows.size(1)}, at::kFloat);
  cuda::check(stain_kernels::peaks(batch.bytes(), batch.count, batch.pixels(),
                                   static_cast<std::int32_t>(rows.size(1)), on_device(density_levels()),
                                   rows.const_data_ptr<float>(),
                                   static_cast<std::uint32_t>(peak_rank(batch.pixels())),
                                   peaks.mutable_data_ptr<float>(), batch.stream),
              "the peaks of concentrations");
  return peaks;
}

at::Tensor mapped_tiles(const at::Tensor& tiles, const at::Tensor& maps, const at::Tensor& usable) {
  const Batch batch(tiles);
  const at::Tensor rows = floats(maps), flags = usable.contiguous();
  at::Tensor result = at::empty_like(batch.tiles);
  cuda::check(stain_kernels::restain(batch.bytes(), batch.count, batch.pixels(), on_device(density_levels()),
                                     rows.const_data_ptr<float>(), static_cast<float>(kGlass),
                                     flags.const_data_ptr<bool>(), result.mutable_data_ptr<std::uint8_t>(),
                                     batch.stream),
              "the rendering of normalised tiles");
  return result;
}

at::Tensor tile_lab_moments(const at::Tensor& tiles) {
  const Batch batch(tiles);
  at::Tensor result = batch.numbers({batch.count, 6}, at::kDouble);
  cuda::check(
      stain_kernels::lab_moments(batch.bytes(), batch.count, batch.pixels(), on_device(linear_levels()),
                                 colour_matrices(), result.mutable_data_ptr<double>(), batch.stream),
      "the colours of tiles");
  return result;
}

at::Tensor moved_lab_tiles(const at::Tensor& tiles, const at::Tensor& scale, const at::Tensor& shift,
                           const at::Tensor& usable) {
  const Batch batch(tiles);
  const at::Tensor scales = floats(scale), shifts = floats(shift), flags = usable.contiguous();
  at::Tensor result = at::empty_like(batch.tiles);
  cuda::check(stain_kernels::recolour(batch.bytes(), batch.count, batch.pixels(), on_device(linear_levels()),
                                      colour_matrices(), scales.const_data_ptr<float>(),
                                      shifts.const_data_ptr<float>(), flags.const_data_ptr<bool>(),
                                      result.mutable_data_ptr<std::uint8_t>(), batch.stream),
              "the rendering of normalised tiles");
  return result;
}

at::Tensor turned(const at::Tensor& tiles, const at::Tensor& symmetry) {
  const Batch batch(tiles);
  const at::Tensor kinds = upload(symmetry.to(at::kByte), tiles.device());
  at::Tensor result = at::empty_like(batch.tiles);
  cuda::check(stain_kernels::turn(batch.bytes(), {batch.count, batch.count, batch.height, batch.width},
                                  kinds.const_data_ptr<std::uint8_t>(),
                                  result.mutable_data_ptr<std::uint8_t>(), batch.stream),
              "the turning of tiles");
  return result;
}

at::Tensor placed(const at::Tensor& pixels, const at::Tensor& geometry, at::MemoryFormat format) {
  const c10::cuda::CUDAGuard device(pixels.device());
  const at::Tensor from = pixels.contiguous(), maps = rows_on_device(geometry, pixels.device());
  at::Tensor result = at::empty(from.sizes(), from.options(), format);
  const auto views = static_cast<std::int32_t>(from.size(0));
  cuda::check(stain_kernels::place(from.const_data_ptr<float>(),
                                   {views, views, static_cast<std::int32_t>(from.size(2)),
                                    static_cast<std::int32_t>(from.size(3))},
                                   maps.const_data_ptr<float>(), format == at::MemoryFormat::ChannelsLast,
                                   result.mutable_data_ptr<float>(), c10::cuda::getCurrentCUDAStream()),
              "the placing of views");
  return result;
}

bool Painting::takes(const FocusProfiles& focus) const {
  return !focused && !saved && focus.profile.size(1) / 2 <= stain_kernels::kMostRadius;
}

at::Tensor painted(const at::Tensor& tiles, const Painting& painting) {
  const Batch batch(tiles);
  const at::Device device = tiles.device();
  const std::int64_t views = painting.curve.slope.size(0);
  const at::Tensor slope = floats(painting.curve.slope), intercept = floats(painting.curve.intercept),
                   brightest = floats(painting.curve.brightest);
  std::vector<at::Tensor> kept;  // until all is queued
  const auto keep = [&](at::Tensor tensor) -> const at::Tensor& {
    return kept.emplace_back(std::move(tensor));
  };

  ViewFocus focus;
  if (painting.focused && painting.focused->rows.numel() > 0) {
    const FocusProfiles& of = painting.focused->focus;
    focus.place =
        keep(places_on_device(painting.focused->rows, views, device)).const_data_ptr<std::int32_t>();
    focus.profile = keep(rows_on_device(of.profile, device)).const_data_ptr<float>();
    focus.weight = keep(rows_on_device(of.weight, device)).const_data_ptr<float>();
    focus.radius = static_cast<std::int32_t>(of.profile.size(1) / 2);
  }
  ViewJpeg jpeg;
  if (painting.saved && painting.saved->rows.numel() > 0) {
    const at::Tensor& rows = painting.saved->rows;
    const auto padded = [](std::int64_t side) {
      return (side + kMacroblock - 1) / kMacroblock * kMacroblock;
    };
    const std::int64_t area = padded(batch.height) * padded(batch.width);
    jpeg.places = static_cast<std::int32_t>(rows.numel());
    jpeg.place = keep(places_on_device(rows, views, device)).const_data_ptr<std::int32_t>();
    jpeg.views = keep(upload(rows.to(at::kInt), device)).const_data_ptr<std::int32_t>();
    jpeg.luma_steps = keep(rows_on_device(painting.saved->steps.luma, device)).const_data_ptr<float>();
    jpeg.chroma_steps = keep(rows_on_device(painting.saved->steps.chroma, device)).const_data_ptr<float>();
    jpeg.luma = keep(batch.numbers({rows.numel(), area}, at::kFloat)).mutable_data_ptr<float>();
    jpeg.chroma = keep(batch.numbers({rows.numel(), area / 2}, at::kFloat)).mutable_data_ptr<float>();
    fill_constants(jpeg);
  }
  at::Tensor light = batch.numbers({views, 3, batch.height, batch.width}, at::kFloat);
  cuda::check(stain_kernels::paint(batch.bytes(),
                                   {batch.count, static_cast<std::int32_t>(views), batch.height, batch.width},
                                   on_device(density_levels()),
                                   {slope.const_data_ptr<float>(), intercept.const_data_ptr<float>(),
                                    brightest.const_data_ptr<float>()},
                                   focus, jpeg, light.mutable_data_ptr<float>(), batch.stream),
              "the rendering of views");
  return light;
}

}  // namespace stainfold::on_cuda
