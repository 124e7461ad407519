// The kernels on a device, against the CPU.
#include <ATen/ATen.h>
#include <torch/cuda.h>

#include "stain/view_geometry.h"
#include "stainfold/manifold.h"
#include "stainfold/stain.h"
#include "tissue.h"

using namespace stainfold;
using namespace stainfold::testing;

namespace {

bool no_cuda_device() {
  if (torch::cuda::is_available()) return false;
  MESSAGE("skipped: no CUDA device can be had");
  return true;
}

at::Tensor any_tiles(std::int64_t side) {
  return at::cat({stained_tiles(3, side), uniform_tile(120, 60, 150, side), uniform_tile(243, 244, 242, side),
                  noise_tiles(2, side)});
}

}  // namespace

TEST_CASE("on CUDA: views are those of the CPU") {
  if (no_cuda_device()) return;
  for (const std::int64_t side : {31, 64, 224}) {
    CAPTURE(side);
    const at::Tensor tiles = any_tiles(side);
    for (const double blur : {0.8, 3.0, 8.0}) {  // in the small kernel, the large one, and beyond both
      CAPTURE(blur);
      ManifoldOptions options;
      options.blur = blur;
      options.jpeg_quality_min = 100;
      const Manifold manifold(options, 5);
      const Views gpu = manifold.render(tiles.cuda(), 2, 3), cpu = manifold.render(tiles, 2, 3);
      CHECK(at::equal(gpu.lab.cpu(), cpu.lab));
      CHECK(at::equal(gpu.source.cpu(), cpu.source));
      // Noise has no stains: its vectors turn with the last digits of the percentiles.
      CHECK((gpu.pixels.cpu() - cpu.pixels).abs().mean().item<double>() < 1e-5);
      CHECK(largest_difference(gpu.pixels.cpu(), cpu.pixels) < 1e-3);
    }
    const Manifold whole(ManifoldOptions{}, 5);
    const at::Tensor gpu = whole.render(tiles.cuda(), 2, 3).pixels.cpu(),
                     cpu = whole.render(tiles, 2, 3).pixels;
    // A coefficient beside a half may round the other way: then a block differs by a step.
    CHECK((gpu - cpu).abs().mean().item<double>() < 1e-3);
    CHECK(((gpu - cpu).abs() > 1e-4).to(at::kDouble).mean().item<double>() < 0.05);
    CHECK(at::equal(gpu, whole.render(tiles.cuda(), 2, 3).pixels.cpu()));  // the same bytes again
  }
}

TEST_CASE(
    "on CUDA: other recipes than stain, scanner, focus and file are rendered by LibTorch's operations") {
  if (no_cuda_device()) return;
  ManifoldOptions options;
  options.transforms = {transform::Jpeg{60}, transform::Blur{1.0}, transform::Gain{0.1},
                        transform::Blur{2.0}};
  const at::Tensor tiles = any_tiles(48);
  const Manifold manifold(options, 2);
  const at::Tensor gpu = manifold.render(tiles.cuda(), 2, 3).pixels.cpu(),
                   cpu = manifold.render(tiles, 2, 3).pixels;
  CHECK((gpu - cpu).abs().mean().item<double>() < 1e-3);
}

TEST_CASE("on CUDA: placed views are the CPU's, in the order of memory asked for") {
  if (no_cuda_device()) return;
  const at::Tensor image = planes(noise_tiles(16, 37)) / 255.0;
  for (const double crop : {1.0, 0.4}) {
    const at::Tensor maps = draw_view_geometry({true, crop}, 16, 4, 2);
    const at::Tensor placed = apply_view_geometry(image.cuda(), maps, at::MemoryFormat::ChannelsLast);
    CHECK(placed.is_contiguous(at::MemoryFormat::ChannelsLast));
    CHECK(largest_difference(placed.cpu(), apply_view_geometry(image, maps)) < 5e-5);
  }
}

TEST_CASE("on CUDA: fits and normalised tiles are the CPU's") {
  if (no_cuda_device()) return;
  for (const std::int64_t side : {33, 64, 256}) {
    for (const StainMethod method : {StainMethod::macenko, StainMethod::reinhard, StainMethod::ruifrok}) {
      CAPTURE(side);
      StainOptions options;
      options.method = method;
      const at::Tensor tiles = any_tiles(side);
      const StainFit gpu = fit_stains(tiles.cuda(), options), cpu = fit_stains(tiles, options);
      CHECK(at::equal(gpu.status.cpu(), cpu.status));
      const at::Tensor tissue = at::arange(3, at::kLong);
      CHECK(largest_difference(gpu.values.cpu().index_select(0, tissue), cpu.values.index_select(0, tissue)) <
            1e-3);
      const at::Tensor target = cpu.values[0].clone();
      const NormalizedTiles a = normalize_stains(tiles.cuda(), gpu, target, options),
                            b = normalize_stains(tiles, cpu, target, options);
      CHECK(at::equal(a.status.cpu(), b.status));
      const at::Tensor difference =
          (a.pixels.cpu().to(at::kInt) - b.pixels.to(at::kInt)).abs().slice(0, 0, 3);
      CHECK(difference.max().item<int>() <= 1);
      CHECK(difference.to(at::kDouble).mean().item<double>() < 0.01);
    }
  }
}
