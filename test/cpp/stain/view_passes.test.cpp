// The passes that the CPU makes over one view after the other, against LibTorch's operations on the whole
// batch.
#include "stain/view_passes.h"

#include <ATen/Parallel.h>

#include "stain/focus.h"
#include "stain/optical_density.h"
#include "stain/random.h"
#include "stain/recompression.h"
#include "stain/view_geometry.h"
#include "stain/virtual_lab.h"
#include "tissue.h"

using namespace stainfold;
using namespace stainfold::testing;

namespace {

struct Sides {
  std::int64_t height, width;
};
// One pixel, less than a block, no multiple of anything, and whole macroblocks.
constexpr Sides kSides[] = {{1, 1}, {5, 7}, {17, 33}, {41, 24}, {32, 48}};

// [views,3,H,W] in [0,1]: texture with some saturated pixels.
at::Tensor light(std::int64_t views, Sides sides) {
  const std::int64_t side = std::max(sides.height, sides.width);
  const at::Tensor tiles = noise_tiles(views, side).slice(1, 0, sides.height).slice(2, 0, sides.width);
  return planes(tiles.contiguous()) / 255.0;
}

at::Tensor rows_of(std::initializer_list<std::int64_t> rows) { return at::tensor(rows, at::kLong); }

}  // namespace

TEST_CASE("a view's curve is the batch's") {
  for (const Sides sides : kSides) {
    const std::int64_t side = std::max(sides.height, sides.width);
    const at::Tensor tiles =
        at::cat({stained_tiles(1, side), uniform_tile(0, 255, 128, side), noise_tiles(1, side)})
            .slice(1, 0, sides.height)
            .slice(2, 0, sides.width)
            .contiguous();
    const at::Tensor grey = planes(tiles), density = optical_density(grey);
    ManifoldOptions wild;
    wild.gain = wild.gamma = 0.3;
    const at::Tensor theta = draw_labs(wild, 6, seeded_generator(3, 1));
    const StainMap map = stain_map(separate_stains(density), theta);
    const at::Tensor gain = theta.narrow(1, lab::kLogGain, 3), gamma = theta.narrow(1, lab::kLogGamma, 1);
    const at::Tensor slow = render_curve(density, map, gain, gamma);
    at::Tensor fast = at::full_like(slow, std::nan(""));
    ViewPasses passes;
    passes.render(curve_of(map, gain, gamma), grey);
    passes.apply(fast);
    CHECK(passes.empty());
    CHECK(largest_difference(fast, slow) < 4e-6);  // a thousandth of a grey level
    CHECK(largest_difference(fast, render_curve(density, map, gain, gamma + 0.1)) > 1e-2);
  }
}

TEST_CASE("a view's focus is the batch's, and other views stay") {
  for (const Sides sides : kSides) {
    for (const double sigma : {0.05, 0.8, 4.0}) {
      CAPTURE(sigma);
      const at::Tensor image = light(4, sides);
      const at::Tensor amount = at::tensor({0.9F, 0.3F, -0.7F, 0.01F});
      const at::Tensor rows = rows_of({3, 0, 2});
      at::Tensor fast = image.clone();
      ViewPasses passes;
      passes.refocus(rows, amount, sigma);
      passes.apply(fast);
      CHECK(at::equal(fast[1], image[1]));
      const at::Tensor slow = refocus(image, amount, sigma);
      for (const std::int64_t row : {0, 2, 3}) CHECK(largest_difference(fast[row], slow[row]) < 2e-6);
      if (sides.width > 1 && sigma > 0.5) CHECK(largest_difference(fast[0], slow[2]) > 1e-3);
    }
  }
}

TEST_CASE("a view's re-compression is the batch's, and other views stay") {
  for (const Sides sides : kSides) {
    const at::Tensor image = light(4, sides);
    const at::Tensor quality = at::tensor({40, 99, 75, 7}, at::kLong);
    const at::Tensor rows = rows_of({0, 2, 3});
    at::Tensor fast = image.clone();
    ViewPasses passes;
    passes.recompress(rows, quality);
    passes.apply(fast);
    CHECK(at::equal(fast[1], image[1]));
    const at::Tensor slow = recompress(image, quality);
    for (const std::int64_t row : {0, 2, 3}) {
      const at::Tensor difference = (fast[row] - slow[row]).abs();
      // A coefficient beside a half may round the other way: then a block differs by a step.
      CHECK((difference > 4e-6).to(at::kDouble).mean().item<double>() < 0.02);
      CHECK(difference.mean().item<double>() < 1e-4);
    }
    if (sides.width > 7) CHECK(largest_difference(fast[0], image[0]) > 0.02);
  }
}

TEST_CASE("passes are made in the order they were asked for") {
  const at::Tensor image = light(2, {33, 32}), amount = at::tensor({0.9F, -0.9F});
  const at::Tensor quality = at::tensor({30, 50}, at::kLong), rows = rows_of({0, 1});
  at::Tensor fast = image.clone(), reversed = image.clone();
  ViewPasses passes;
  passes.refocus(rows, amount, 0.8);
  passes.recompress(rows, quality);
  passes.apply(fast);
  passes.apply(fast);  // nothing is left to do
  passes.recompress(rows, quality);
  passes.refocus(rows, amount, 0.8);
  passes.apply(reversed);
  const at::Tensor slow = recompress(refocus(image, amount, 0.8), quality);
  CHECK((fast - slow).abs().mean().item<double>() < 1e-4);
  CHECK((reversed - slow).abs().mean().item<double>() > 1e-3);
}

TEST_CASE("a view's geometry is LibTorch's sampler's, in either order of memory") {
  for (const double crop : {1.0, 0.4}) {
    CAPTURE(crop);
    const at::Tensor image = light(32, {37, 37});
    const at::Tensor maps = draw_view_geometry({true, crop}, 32, 4, 2);
    const at::Tensor slow = sample_view_geometry(image, maps);
    const at::Tensor fast = apply_view_geometry(image, maps);
    // Positions in float32: a thousandth of a pixel at 4096, less here; neighbours differ by up to 1.
    CHECK(largest_difference(fast, slow) < 5e-5);
    const at::Tensor last = apply_view_geometry(image, maps, at::MemoryFormat::ChannelsLast);
    CHECK(last.is_contiguous(at::MemoryFormat::ChannelsLast));
    CHECK(at::equal(last, fast));
    CHECK(largest_difference(fast, sample_view_geometry(image, maps.flip(0))) > 0.1);
  }
  const at::Tensor wide = light(3, {9, 21}), still = draw_view_geometry({false, 1.0}, 3, 4, 2);
  CHECK(at::equal(apply_view_geometry(wide, still), wide));
}

TEST_CASE("turns touch no value: all eight symmetries, exactly") {
  const at::Tensor image = light(1, {19, 19});
  for (const float x : {1.0F, -1.0F}) {
    for (const float y : {1.0F, -1.0F}) {
      for (const bool transposed : {false, true}) {
        const at::Tensor map = (transposed ? at::tensor({0.0F, x, 0.0F, y, 0.0F, 0.0F})
                                           : at::tensor({x, 0.0F, 0.0F, 0.0F, y, 0.0F}))
                                   .view({1, 2, 3});
        // (x, y) of the source is map (u, v): a transposed one reads along columns.
        at::Tensor expected = image;
        if (x < 0) expected = expected.flip(3);
        if (y < 0) expected = expected.flip(2);
        if (transposed) expected = expected.transpose(2, 3);
        CHECK(at::equal(apply_view_geometry(image, map), expected));
      }
    }
  }
}

TEST_CASE("a rendering is the same bytes with any number of threads") {
  const at::Tensor tiles = stained_tiles(5, 40);
  const auto rendered = [&] { return Manifold(ManifoldOptions{}, 3).render(tiles, 3, 8).pixels; };
  const int threads = at::get_num_threads();
  at::set_num_threads(1);
  const at::Tensor one = rendered();
  at::set_num_threads(3);
  const at::Tensor several = rendered();
  at::set_num_threads(threads);
  CHECK(at::equal(one, several));
}
