#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "stainfold/slide.h"
#include "testing.h"

using namespace stainfold;
using namespace stainfold::testing;

namespace {

double cubic_slowly(double x) {
  x = std::abs(x);
  if (x < 1) return 1.5 * x * x * x - 2.5 * x * x + 1;
  if (x < 2) return -0.5 * x * x * x + 2.5 * x * x - 4 * x + 2;
  return 0;
}

// Each output pixel by itself, from the definition in stainfold/slide.h.
at::Tensor render_slowly(const at::Tensor& level, const SlideGeometry& g) {
  const std::int64_t height = level.size(0), width = level.size(1);
  const at::Tensor out = at::full({g.height, g.width, 3}, 255, at::kByte);
  const double wide = std::max(1.0, g.scale);
  for (std::int64_t row = 0; row < g.height; ++row) {
    for (std::int64_t column = 0; column < g.width; ++column) {
      const double down = g.y + (row + 0.5) * g.scale, across = g.x + (column + 0.5) * g.scale;
      if (down < 0 || across < 0 || down >= height || across >= width) continue;
      double sum[3] = {0, 0, 0}, total = 0;
      for (std::int64_t j = 0; j < height; ++j) {
        const double vertical = cubic_slowly((j + 0.5 - down) / wide);
        if (vertical == 0) continue;
        for (std::int64_t i = 0; i < width; ++i) {
          const double weight = vertical * cubic_slowly((i + 0.5 - across) / wide);
          total += weight;
          for (int c = 0; c < 3; ++c) sum[c] += weight * level[j][i][c].item<double>();
        }
      }
      for (int c = 0; c < 3; ++c) {
        out[row][column][c] = static_cast<int>(std::clamp(std::floor(sum[c] / total + 0.5), 0.0, 255.0));
      }
    }
  }
  return out;
}

at::Tensor noise(std::int64_t height, std::int64_t width) {
  at::manual_seed(3);
  return at::randint(0, 256, {height, width, 3}, at::kByte);
}

at::Tensor render_whole(const at::Tensor& level, const SlideGeometry& geometry) {
  return render_region({{level.const_data_ptr<std::uint8_t>(), 0, 0, level.size(1), level.size(0)}},
                       level.size(1), level.size(0), geometry);
}

}  // namespace

TEST_CASE("a region is the definition's, at any scale and place") {
  const at::Tensor level = noise(23, 31);
  for (const SlideGeometry& g : {SlideGeometry{0, 0, 1, 31, 23},
                                 {3, 5, 1, 9, 8},
                                 {2.5, 1.25, 1, 7, 6},
                                 {1.1, 0.7, 1.7, 9, 7},
                                 {-3.3, -2, 2.9, 12, 10},
                                 {4, 4, 0.6, 8, 9},
                                 {0, 0, 11, 3, 3}}) {
    // The core sums in float32: a half may round either way.
    CHECK(largest_difference(render_whole(level, g).to(at::kDouble),
                             render_slowly(level, g).to(at::kDouble)) <= 1);
  }
}

TEST_CASE("the reference tells a shift of a quarter pixel") {
  const at::Tensor level = noise(23, 31);
  const at::Tensor there = render_whole(level, {2.25, 3, 1.5, 8, 8});
  CHECK(largest_difference(there.to(at::kDouble), render_slowly(level, {2, 3, 1.5, 8, 8}).to(at::kDouble)) >
        8);
}

TEST_CASE("pieces make the level; what none covers is white") {
  const at::Tensor level = noise(16, 24);
  std::vector<at::Tensor> parts;
  std::vector<SlidePiece> pieces;
  for (std::int64_t y = 0; y < 16; y += 10) {
    for (std::int64_t x = 0; x < 24; x += 10) {
      // Tiles of 10 that reach beyond the level, filled with black there.
      at::Tensor part = at::zeros({10, 10, 3}, at::kByte);
      const std::int64_t high = std::min<std::int64_t>(10, 16 - y), wide = std::min<std::int64_t>(10, 24 - x);
      part.narrow(0, 0, high).narrow(1, 0, wide).copy_(level.narrow(0, y, high).narrow(1, x, wide));
      parts.push_back(part);
      pieces.push_back({part.const_data_ptr<std::uint8_t>(), x, y, 10, 10});
    }
  }
  const SlideGeometry g{-1.5, -1.5, 1.3, 22, 16};
  CHECK(at::equal(render_region(pieces, 24, 16, g), render_whole(level, g)));
  const at::Tensor bare = render_region({}, 24, 16, {0, 0, 1, 24, 16});
  CHECK(bare.eq(255).all().item<bool>());
}

TEST_CASE("the window is what a region depends on") {
  const SlideWindow whole = region_window({3, 2, 1, 5, 4}, 100, 100);
  CHECK(whole.x == 3);
  CHECK(whole.y == 2);
  CHECK(whole.width == 5);
  CHECK(whole.height == 4);
  const SlideWindow halved = region_window({10, 10, 2, 5, 5}, 100, 100);
  CHECK(halved.x == 7);
  CHECK(halved.width == 16);
  CHECK(region_window({200, 0, 1, 5, 5}, 100, 100).width == 0);
  CHECK(region_window({1e300, -1e300, 1, 5, 5}, 100, 100).width == 0);
}

TEST_CASE("what a region cannot be") {
  const auto refused = [](const SlideGeometry& g) {
    return code_of([&] { render_region({}, 10, 10, g); }) == ErrorCode::option;
  };
  CHECK(refused({0, 0, 0, 1, 1}));
  CHECK(refused({0, 0, -1, 1, 1}));
  CHECK(refused({0, 0, 1, 0, 1}));
  CHECK(refused({std::numeric_limits<double>::quiet_NaN(), 0, 1, 1, 1}));
  CHECK(refused({0, 0, 1, 1 << 20, 1 << 20}));
}

TEST_CASE("a scale beyond all integers: the mean of the level") {
  const at::Tensor level = at::full({4, 4, 3}, 90, at::kByte);
  const std::vector<SlidePiece> pieces{{level.const_data_ptr<std::uint8_t>(), 0, 0, 4, 4}};
  // The centre of its only pixel is 0: what is added to 1e300 is lost.
  const at::Tensor region = render_region(pieces, 4, 4, {-0.5e300, -0.5e300, 1e300, 1, 1});
  CHECK(region.eq(90).all().item<bool>());
}
