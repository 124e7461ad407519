#include "stain/view_geometry.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <set>
#include <string>

#include "testing.h"
#include "vendor/doctest.h"

using namespace stainfold;
using namespace stainfold::testing;

namespace {

constexpr std::int64_t kSide = 6;

at::Tensor numbered_pixels(std::int64_t views) {
  return at::arange(3 * kSide * kSide, at::kFloat).view({1, 3, kSide, kSide}).repeat({views, 1, 1, 1});
}

// Bilinear sampling as its definition says: pixel centres at half-integers, edges repeated.
double sampled(const at::Tensor& plane, double x, double y) {
  const auto at_clamped = [&](std::int64_t row, std::int64_t column) {
    const auto inside = [](std::int64_t i) { return std::min(std::max<std::int64_t>(i, 0), kSide - 1); };
    return plane[inside(row)][inside(column)].item<double>();
  };
  const double column = std::min(std::max((x + 1) * kSide / 2 - 0.5, 0.0), kSide - 1.0);
  const double row = std::min(std::max((y + 1) * kSide / 2 - 0.5, 0.0), kSide - 1.0);
  const auto r = static_cast<std::int64_t>(std::floor(row)),
             c = static_cast<std::int64_t>(std::floor(column));
  const double down = row - static_cast<double>(r), right = column - static_cast<double>(c);
  return (1 - down) * ((1 - right) * at_clamped(r, c) + right * at_clamped(r, c + 1)) +
         down * ((1 - right) * at_clamped(r + 1, c) + right * at_clamped(r + 1, c + 1));
}

}  // namespace

TEST_CASE("turns alone move pixels and change none, and all eight symmetries come up") {
  const at::Tensor pixels = numbered_pixels(200);
  const at::Tensor turned = apply_view_geometry(pixels, draw_view_geometry({true, 1.0}, 200, 7, 3));
  const at::Tensor sorted = std::get<0>(turned.reshape({200, -1}).sort(1));
  CHECK(largest_difference(sorted, pixels.reshape({200, -1})) < 1e-3);  // of values up to 107
  std::set<std::string> corners;
  for (std::int64_t view = 0; view < 200; ++view) {
    const at::Tensor plane = turned[view][0].round();
    corners.insert(std::to_string(plane[0][0].item<int>()) + "," + std::to_string(plane[0][1].item<int>()));
  }
  CHECK(corners.size() == 8);
}

TEST_CASE("without turns and crop the views stay as they are") {
  const at::Tensor pixels = numbered_pixels(5);
  CHECK(largest_difference(apply_view_geometry(pixels, draw_view_geometry({false, 1.0}, 5, 7, 3)), pixels) <
        1e-4);
}

TEST_CASE("a crop shows a part of the tile of at least the given side, upright or turned") {
  for (const bool turn : {false, true}) {
    CAPTURE(turn);
    const at::Tensor maps = draw_view_geometry({turn, 0.5}, 500, 1, 0);
    const at::Tensor linear = maps.slice(2, 0, 2).abs().sum(2), centre = maps.select(2, 2).abs();
    CHECK(linear.min().item<double>() >= 0.5);
    CHECK(linear.max().item<double>() <= 1.0);
    CHECK((linear.amax(1) - linear.amin(1)).max().item<double>() < 1e-6);  // square
    CHECK((linear + centre).max().item<double>() <= 1.0 + 1e-6);           // within the tile
    CHECK(linear.std().item<double>() > 0.1);                              // and of many sizes
  }
}

TEST_CASE("sampling agrees with its definition") {
  const at::Tensor pixels = at::rand({8, 3, kSide, kSide});
  const at::Tensor maps = draw_view_geometry({true, 0.4}, 8, 5, 9);
  const at::Tensor got = apply_view_geometry(pixels, maps);
  for (std::int64_t view = 0; view < 8; ++view) {
    for (std::int64_t row = 0; row < kSide; ++row) {
      for (std::int64_t column = 0; column < kSide; ++column) {
        const double u = (2 * column + 1.0) / kSide - 1, v = (2 * row + 1.0) / kSide - 1;
        const auto along = [&](std::int64_t axis) {
          const at::Tensor line = maps[view][axis];
          return line[0].item<double>() * u + line[1].item<double>() * v + line[2].item<double>();
        };
        const double expected = sampled(pixels[view][1], along(0), along(1));
        CHECK(got[view][1][row][column].item<double>() == doctest::Approx(expected).epsilon(1e-4));
      }
    }
  }
}

TEST_CASE("the geometry of views depends on seed and step alone") {
  const ViewGeometryOptions options{true, 0.6};
  const at::Tensor maps = draw_view_geometry(options, 16, 1, 4);
  CHECK(at::equal(maps, draw_view_geometry(options, 16, 1, 4)));
  CHECK_FALSE(at::equal(maps, draw_view_geometry(options, 16, 1, 5)));
  CHECK_FALSE(at::equal(maps, draw_view_geometry(options, 16, 2, 4)));
}
