// The CUDA kernels themselves, compiled for the CPU and run by an emulated device, against LibTorch's
// operations and the CPU's loops: checked without a GPU.
#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "ops/cuda_emulation.h"
// After the emulation, which gives CUDA's words a meaning.
#include "stain/cuda/tile_kernels.cuh"
#include "stain/cuda/view_kernels.cuh"
#include "stain/focus.h"
#include "stain/geometry.h"
#include "stain/level_tables.h"
#include "stain/optical_density.h"
#include "stain/random.h"
#include "stain/recompression.h"
#include "stain/simd/density_loops.h"
#include "stain/stained_pixels.h"
#include "stain/tile_pixels.h"
#include "stain/unmixing.h"
#include "stain/view_geometry.h"
#include "stain/virtual_lab.h"
#include "tissue.h"

using namespace stainfold;
using namespace stainfold::testing;

namespace {

constexpr int kTeam = 32;

LevelTable table_of(const Levels& levels) {
  LevelTable table;
  std::copy(levels.begin(), levels.end(), table.value);
  return table;
}

ColourMatrices emulated_colours() {
  ColourMatrices result;
  std::copy_n(colour_spaces().xyz_of_rgb.begin(), 9, result.xyz_of_rgb);
  std::copy_n(colour_spaces().rgb_of_xyz.begin(), 9, result.rgb_of_xyz);
  return result;
}

// Tissue, one colour, glass, noise: [5,height,width,3].
at::Tensor mixed_tiles(std::int64_t height, std::int64_t width) {
  const std::int64_t side = std::max(height, width);
  return at::cat({stained_tiles(2, side), uniform_tile(120, 60, 150, side), uniform_tile(243, 244, 242, side),
                  noise_tiles(1, side)})
      .slice(1, 0, height)
      .slice(2, 0, width)
      .contiguous();
}

PixelGrid grid_of(const at::Tensor& tiles, std::int64_t most) {
  const auto height = static_cast<std::int32_t>(tiles.size(1)),
             width = static_cast<std::int32_t>(tiles.size(2));
  const auto stride = static_cast<std::int32_t>(grid_stride(height, width, most));
  const std::int32_t across = (width - 1) / stride + 1;
  return {height * width, width, stride, across, across * ((height - 1) / stride + 1)};
}

unsigned blocks_of(std::int64_t n) { return static_cast<unsigned>(n); }

at::Tensor poisoned_rows(at::IntArrayRef shape, at::ScalarType type) {
  return at::full(shape, std::nan(""), type);
}

StainedMoments emulated_moments(const at::Tensor& tiles, std::int64_t most) {
  const std::int64_t count = tiles.size(0);
  const PixelGrid grid = grid_of(tiles, most);
  StainedMoments m = {poisoned_rows({count, 1}, at::kDouble), poisoned_rows({count, 3}, at::kDouble),
                      poisoned_rows({count, 3, 3}, at::kDouble), poisoned_rows({count}, at::kDouble),
                      grid.points};
  emulate({blocks_of(count), 1}, kTeam, [&] {
    tile_kernels::tile_moments<kTeam>(
        tiles.const_data_ptr<std::uint8_t>(), grid, table_of(density_levels()), DensityMoments::kCentre,
        m.counted.mutable_data_ptr<double>(), m.mean.mutable_data_ptr<double>(),
        m.covariance.mutable_data_ptr<double>(), m.positive.mutable_data_ptr<double>());
  });
  return m;
}

struct Size {
  std::int64_t height, width;
};
constexpr Size kRagged[] = {{1, 1}, {5, 7}, {17, 33}, {32, 48}};

}  // namespace

TEST_CASE("on an emulated device a value of a rank is the sorted ones', NaN apart") {
  at::manual_seed(3);
  at::Tensor values = at::randn({301}) * at::exp(at::randn({301}) * 4);
  values[7] = 0.0;
  values[8] = -0.0;
  values[9] = values[10] = values[11] = 1.5;
  values[12] = std::numeric_limits<float>::infinity();
  values.slice(0, 40, 60).fill_(std::nan(""));
  const at::Tensor sorted =
      std::get<0>(values.slice(0, 0, 301).index({values.isfinite() | values.isinf()}).sort());
  REQUIRE(sorted.numel() == 281);
  const float* const given = values.const_data_ptr<float>();
  for (const std::int64_t rank : {0, 1, 3, 140, 141, 279, 280}) {
    float found = std::nanf("");
    emulate({1, 1}, kTeam, [&] {
      __shared__ tile_kernels::Ranking ranking;
      const float value = tile_kernels::value_of_rank<kTeam>(
          301, static_cast<std::uint32_t>(rank), [&](std::int32_t i) { return given[i]; }, ranking);
      if (threadIdx.x == 0) found = value;
    });
    CHECK(found == sorted[rank].item<float>());
  }
}

TEST_CASE("Jacobi's rotations find the principal plane that LibTorch finds") {
  at::manual_seed(9);
  const at::Tensor root =
      at::randn({200, 3, 3}, at::kDouble) * at::exp(at::randn({200, 1, 1}, at::kDouble) * 3);
  const StainedMoments moments = {at::full({200, 1}, 100.0, at::kDouble), at::randn({200, 3}, at::kDouble),
                                  at::bmm(root, root.transpose(1, 2)), at::ones({200}, at::kDouble), 100};
  at::Tensor axes = poisoned_rows({200, 3, 2}, at::kDouble);
  emulate({200 / kTeam + 1, 1}, kTeam, [&] {
    tile_kernels::tile_axes<kTeam>(moments.covariance.const_data_ptr<double>(),
                                   moments.mean.const_data_ptr<double>(), 200,
                                   axes.mutable_data_ptr<double>());
  });
  // Eigenvectors of close eigenvalues turn with the last digits of the matrix.
  CHECK(largest_difference(axes, principal_plane(moments)) < 1e-6);
  double flat[9] = {}, mean[3] = {1, 1, 1}, any[6];
  principal_axes(flat, mean, any);  // no stain: any plane, but a plane
  const double across = any[0] * any[1] + any[2] * any[3] + any[4] * any[5];
  CHECK(std::abs(across) < 1e-12);
  CHECK(any[0] * any[0] + any[2] * any[2] + any[4] * any[4] == doctest::Approx(1));
}

TEST_CASE("on an emulated device tiles are separated as on the CPU") {
  for (const Size size : kRagged) {
    for (const std::int64_t most : {kSampledPixels, std::int64_t{100}}) {
      CAPTURE(size.height);
      const at::Tensor tiles = mixed_tiles(size.height, size.width);
      const StainedMoments fast = emulated_moments(tiles, most), slow = stained_moments(tiles, most);
      CHECK(at::equal(fast.counted, slow.counted));
      CHECK(fast.pixels == slow.pixels);
      CHECK(largest_difference(fast.mean, slow.mean) < 1e-12);
      CHECK(largest_difference(fast.covariance, slow.covariance) < 1e-12);
      CHECK(largest_difference(fast.positive, slow.positive) <
            1e-6);  // three float32 numbers summed in either order

      const std::int64_t count = tiles.size(0);
      at::Tensor axes = principal_plane(fast).contiguous(), low = poisoned_rows({count, 1}, at::kDouble),
                 high = poisoned_rows({count, 1}, at::kDouble);
      emulate({blocks_of(count), 1}, kTeam, [&] {
        tile_kernels::tile_angles<kTeam>(tiles.const_data_ptr<std::uint8_t>(), grid_of(tiles, most),
                                         table_of(density_levels()), fast.counted.const_data_ptr<double>(),
                                         axes.const_data_ptr<double>(), kExtreme,
                                         low.mutable_data_ptr<double>(), high.mutable_data_ptr<double>());
      });
      const Separation found = separation_between(fast, axes, low, high),
                       wanted = separate_tile_stains(tiles, slow, most);
      CHECK(at::equal(found.status, wanted.status));
      CHECK(largest_difference(found.stains, wanted.stains) < 1e-5);
    }
  }
}

TEST_CASE("on an emulated device tiles are normalised as on the CPU") {
  for (const Size size : kRagged) {
    CAPTURE(size.width);
    const at::Tensor tiles = mixed_tiles(size.height, size.width);
    const std::int64_t count = tiles.size(0);
    const auto pixels = static_cast<std::int32_t>(size.height * size.width);
    const std::uint8_t* const bytes = tiles.const_data_ptr<std::uint8_t>();
    const at::Tensor stains = ruifrok_stains(at::TensorOptions()).expand({count, 3, 2}).contiguous();
    const at::Tensor rows = least_squares(stains).contiguous();
    at::Tensor peaks = poisoned_rows({count, 2}, at::kFloat);
    emulate({blocks_of(count), 2}, kTeam, [&] {
      // The emulation tells the grid's second side to the kernel, which counts stains by it.
      tile_kernels::tile_peaks<kTeam>(bytes, pixels, table_of(density_levels()), rows.const_data_ptr<float>(),
                                      static_cast<std::uint32_t>(peak_rank(pixels)),
                                      peaks.mutable_data_ptr<float>());
    });
    CHECK(largest_difference(peaks, tile_peaks(tiles, rows)) < 2e-6);

    const at::Tensor usable = at::tensor({1, 0, 1, 1, 1}, at::kByte).to(at::kBool);
    const auto compare = [&](const at::Tensor& fast, const at::Tensor& slow) {
      const at::Tensor difference = (fast.to(at::kInt) - slow.to(at::kInt)).abs();
      CHECK(difference.max().item<int>() <= 1);  // fractions are dropped: a rounding beside a whole number
      CHECK(difference.to(at::kDouble).mean().item<double>() < 0.01);
    };
    const bool words = pixels % 4 == 0;
    const at::Tensor maps = at::bmm(stains * at::tensor({0.8F, 1.3F}), rows).contiguous();
    at::Tensor result = at::full_like(tiles, 7);
    emulate({2, blocks_of(count)}, kTeam, [&] {
      tile_kernels::rewrite_tiles<kTeam>(
          bytes, pixels, words, table_of(density_levels()),
          tile_kernels::Restain{maps.const_data_ptr<float>(), static_cast<float>(kGlass)},
          usable.const_data_ptr<bool>(), result.mutable_data_ptr<std::uint8_t>());
    });
    compare(result, mapped_tiles(tiles, maps, usable));
    CHECK(at::equal(result[1], tiles[1]));

    at::Tensor colours = poisoned_rows({count, 6}, at::kDouble);
    emulate({blocks_of(count), 1}, kTeam, [&] {
      tile_kernels::tile_lab_moments<kTeam>(bytes, pixels, table_of(linear_levels()), emulated_colours(),
                                            colours.mutable_data_ptr<double>());
    });
    CHECK(largest_difference(colours, tile_lab_moments(tiles)) <
          1e-3);  // of 0..100; deviations of 0 are noise

    const at::Tensor scale = at::full({count, 3}, 1.2F),
                     shift = at::tensor({-8.0F, 4.0F, -3.0F}).expand({count, 3}).contiguous();
    result.fill_(7);
    emulate({2, blocks_of(count)}, kTeam, [&] {
      tile_kernels::rewrite_tiles<kTeam>(
          bytes, pixels, words, table_of(linear_levels()),
          tile_kernels::Recolour{scale.const_data_ptr<float>(), shift.const_data_ptr<float>(),
                                 emulated_colours()},
          usable.const_data_ptr<bool>(), result.mutable_data_ptr<std::uint8_t>());
    });
    compare(result, moved_lab_tiles(tiles, scale, shift, usable));
    CHECK(at::equal(result[1], tiles[1]));
  }
}

TEST_CASE("on an emulated device views are painted as LibTorch's operations paint them") {
  for (const Size size : kRagged) {
    for (const double sigma : {0.8, 4.0}) {
      CAPTURE(size.width);
      CAPTURE(sigma);
      const std::int64_t side = std::max(size.height, size.width);
      const at::Tensor tiles = at::cat({stained_tiles(1, side), noise_tiles(1, side)})
                                   .slice(1, 0, size.height)
                                   .slice(2, 0, size.width)
                                   .contiguous();
      const at::Tensor density = optical_density(planes(tiles));
      const at::Tensor theta = draw_labs(ManifoldOptions{}, 6, seeded_generator(3, 1));
      const StainMap map = stain_map(separate_stains(density), theta);
      const at::Tensor gain = theta.narrow(1, lab::kLogGain, 3), gamma = theta.narrow(1, lab::kLogGamma, 1);
      const Curve curve = curve_of(map, gain, gamma);
      at::Tensor wanted = render_curve(density, map, gain, gamma);
      const at::Tensor focused = at::tensor({1, 3, 5}, at::kLong), saved = at::tensor({2, 3}, at::kLong);
      const at::Tensor amount = at::tensor({0.9F, -0.6F, 0.4F}), quality = at::tensor({45, 80}, at::kLong);
      wanted.index_copy_(0, focused, refocus(wanted.index_select(0, focused), amount, sigma));
      wanted.index_copy_(0, saved, recompress(wanted.index_select(0, saved), quality));

      const FocusProfiles profiles = focus_profiles(amount, sigma);
      const QuantisationSteps steps = quantisation_steps(quality);
      const at::Tensor blurred = at::tensor({-1, 0, -1, 1, -1, 2}, at::kInt),
                       kept = at::tensor({-1, -1, 0, 1, -1, -1}, at::kInt);
      const at::Tensor saved_views = saved.to(at::kInt), profile = profiles.profile.contiguous(),
                       weight = profiles.weight.contiguous(), luma = steps.luma.contiguous(),
                       chroma = steps.chroma.contiguous();
      const at::Tensor slope = curve.slope.contiguous(), intercept = curve.intercept.contiguous(),
                       brightest = curve.brightest.contiguous();
      const Picture picture{2, 6, static_cast<std::int32_t>(size.height),
                            static_cast<std::int32_t>(size.width)};
      const std::int64_t rows = (size.height + 15) / 16, columns = (size.width + 15) / 16;
      at::Tensor between = poisoned_rows({2, rows * columns * 256}, at::kFloat),
                 half = poisoned_rows({2, rows * columns * 128}, at::kFloat);
      ViewJpeg jpeg;
      fill_constants(jpeg);
      jpeg.place = kept.const_data_ptr<std::int32_t>();
      jpeg.views = saved_views.const_data_ptr<std::int32_t>();
      jpeg.places = 2;
      jpeg.luma_steps = luma.const_data_ptr<float>();
      jpeg.chroma_steps = chroma.const_data_ptr<float>();
      jpeg.luma = between.mutable_data_ptr<float>();
      jpeg.chroma = half.mutable_data_ptr<float>();
      const ViewFocus focus{blurred.const_data_ptr<std::int32_t>(), profile.const_data_ptr<float>(),
                            weight.const_data_ptr<float>(), static_cast<std::int32_t>(profile.size(1) / 2)};
      at::Tensor light = poisoned_rows({6, 3, size.height, size.width}, at::kFloat);
      const auto paint = [&](auto reach) {
        // Fewer rows of the grid than views: each takes several.
        emulate({blocks_of(rows * columns), 4}, view_kernels::threads, [&] {
          view_kernels::paint_views<decltype(reach)::value>(
              tiles.const_data_ptr<std::uint8_t>(), picture, table_of(density_levels()),
              ViewCurves{slope.const_data_ptr<float>(), intercept.const_data_ptr<float>(),
                         brightest.const_data_ptr<float>()},
              focus, jpeg, light.mutable_data_ptr<float>());
        });
      };
      if (focus.radius <= 2) {
        paint(std::integral_constant<int, 2>());
      } else {
        paint(std::integral_constant<int, 12>());
      }
      emulate({blocks_of(rows * columns), 1}, view_kernels::threads, [&] {
        view_kernels::open_jpeg<view_kernels::threads>(picture, jpeg, light.mutable_data_ptr<float>());
      });

      for (const std::int64_t view : {0, 1, 4, 5}) {
        CHECK(largest_difference(light[view], wanted[view]) < 4e-6);  // a thousandth of a grey level
      }
      for (const std::int64_t view : {2, 3}) {
        const at::Tensor difference = (light[view] - wanted[view]).abs();
        // A coefficient beside a half may round the other way: then a block differs by a step.
        CHECK((difference > 4e-6).to(at::kDouble).mean().item<double>() < 0.02);
        CHECK(difference.mean().item<double>() < 1e-4);
      }
      if (size.width > 7) CHECK(largest_difference(light[3], wanted[2]) > 1e-3);
    }
  }
}

TEST_CASE("on an emulated device views and tiles are turned as on the CPU") {
  for (const Size size : {Size{9, 21}, Size{23, 23}}) {
    for (const double crop : {1.0, 0.4}) {
      const at::Tensor image =
          planes(noise_tiles(12, 23).slice(1, 0, size.height).slice(2, 0, size.width).contiguous()) / 255.0;
      const at::Tensor maps = draw_view_geometry({size.height == size.width, crop}, 12, 4, 2).contiguous();
      const Picture picture{12, 12, static_cast<std::int32_t>(size.height),
                            static_cast<std::int32_t>(size.width)};
      for (const bool last : {false, true}) {
        const auto format = last ? at::MemoryFormat::ChannelsLast : at::MemoryFormat::Contiguous;
        at::Tensor result = at::full(image.sizes(), std::nan(""), at::kFloat).contiguous(format);
        emulate({3, 1}, kTeam, [&] {
          view_kernels::place_views<kTeam>(image.const_data_ptr<float>(), picture,
                                           maps.const_data_ptr<float>(), last,
                                           result.mutable_data_ptr<float>());
        });
        if (crop == 1.0) CHECK(at::equal(result, apply_view_geometry(image, maps)));
        // Positions in float32: a thousandth of a pixel at 4096, less here; neighbours differ by up to 1.
        CHECK(largest_difference(result, sample_view_geometry(image, maps)) < 5e-5);
      }
    }
    const at::Tensor tiles = noise_tiles(8, 23).slice(1, 0, size.height).slice(2, 0, size.width).contiguous();
    const at::Tensor symmetry = at::arange(8, at::kLong), kinds = symmetry.to(at::kByte);
    at::Tensor turned = at::zeros_like(tiles);
    emulate({3, 1}, kTeam, [&] {
      view_kernels::turn_tiles<kTeam>(
          tiles.const_data_ptr<std::uint8_t>(),
          {8, 8, static_cast<std::int32_t>(size.height), static_cast<std::int32_t>(size.width)},
          kinds.const_data_ptr<std::uint8_t>(), turned.mutable_data_ptr<std::uint8_t>());
    });
    CHECK(at::equal(turned, apply_symmetry(tiles, symmetry)));
  }
}
