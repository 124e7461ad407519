#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "core/checks.h"
#include "slide/resample.h"
#include "stainfold/slide.h"

namespace stainfold {
namespace {

constexpr double kSupport = 2;  // pixels that the cubic reaches to either side
constexpr std::int64_t kChannels = 3;
constexpr std::uint8_t kWhite = 255;
constexpr std::int64_t kMostPixels = std::int64_t{1} << 30;

double cubic(double x) {
  constexpr double a = -0.5;
  x = std::abs(x);
  if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  if (x < 2) return (((x - 5) * x + 8) * x - 4) * a;
  return 0;
}

// Which source pixels an output pixel takes, and by which weights: taps of them from `first`; none where its
// centre is off the level.
struct AxisTap {
  std::int64_t first = 0, count = 0;
  std::size_t weights = 0;  // index of the first
};

struct Axis {
  std::vector<AxisTap> taps;
  std::vector<float> weights;
  std::int64_t begin = 0, end = 0;  // source pixels that any output pixel takes
};

Axis axis_of(double origin, double scale, std::int64_t outputs, std::int64_t extent) {
  Axis axis;
  axis.taps.resize(outputs);
  const double widening = std::max(scale, 1.0), reach = kSupport * widening;
  bool any = false;
  std::vector<double> line;
  for (std::int64_t i = 0; i < outputs; ++i) {
    const double centre = origin + (static_cast<double>(i) + 0.5) * scale;
    if (centre < 0 || centre >= static_cast<double>(extent)) continue;
    // Clamped as floating-point numbers: a wide reach lies beyond all integers.
    const double most = static_cast<double>(extent);
    auto first = static_cast<std::int64_t>(std::clamp(std::floor(centre - reach + 0.5), 0.0, most));
    auto end = static_cast<std::int64_t>(std::clamp(std::floor(centre + reach + 0.5), 0.0, most));
    line.clear();
    double sum = 0;
    for (std::int64_t j = first; j < end; ++j) {
      line.push_back(cubic((static_cast<double>(j) + 0.5 - centre) / widening));
      sum += line.back();
    }
    // Zeros at the ends cost time and, on a whole-pixel shift, make the window larger than it need be.
    std::size_t from = 0, to = line.size();
    while (from + 1 < to && std::abs(line[from]) < 1e-9) ++from, ++first;
    while (to > from + 1 && std::abs(line[to - 1]) < 1e-9) --to, --end;
    axis.taps[i] = {first, end - first, axis.weights.size()};
    for (std::size_t k = from; k < to; ++k) axis.weights.push_back(static_cast<float>(line[k] / sum));
    axis.begin = any ? std::min(axis.begin, first) : first;
    axis.end = any ? std::max(axis.end, end) : end;
    any = true;
  }
  return axis;
}

bool is_copy(const Axis& axis) {
  return std::ranges::all_of(axis.taps, [](const AxisTap& tap) { return tap.count <= 1; });
}

void check_geometry(const SlideGeometry& geometry, std::int64_t width, std::int64_t height) {
  check_option(geometry.width >= 1 && geometry.height >= 1 && geometry.width <= kMostPixels / geometry.height,
               "a region must have 1 to 2^30 pixels, got " + std::to_string(geometry.width) + " x " +
                   std::to_string(geometry.height));
  check_option(std::isfinite(geometry.scale) && geometry.scale > 0,
               "a region's scale must be above 0, got " + std::to_string(geometry.scale));
  check_option(std::isfinite(geometry.x) && std::isfinite(geometry.y), "a region's corner must be finite");
  check_option(width >= 1 && height >= 1, "a level must have pixels");
}

SlideWindow window_of(const Axis& x, const Axis& y) {
  if (x.end == x.begin || y.end == y.begin) return {};
  return {x.begin, y.begin, x.end - x.begin, y.end - y.begin};
}

std::uint8_t to_byte(float value) {
  return static_cast<std::uint8_t>(std::clamp(value + 0.5F, 0.0F, 255.0F));
}

// out[k] = sum of weight * row[k]: the loop over k is the one that the compiler makes vectors of.
void mix_rows(const std::uint8_t* pixels, std::int64_t stride, const AxisTap& tap, const float* weights,
              std::int64_t begin, float* out) {
  std::fill(out, out + stride, 0.0F);
  for (std::int64_t j = 0; j < tap.count; ++j) {
    const std::uint8_t* row = pixels + (tap.first - begin + j) * stride;
    const float weight = weights[tap.weights + j];
    for (std::int64_t k = 0; k < stride; ++k) out[k] += weight * static_cast<float>(row[k]);
  }
}

void mix_columns(const float* row, const Axis& axis, std::uint8_t* out) {
  for (const AxisTap& tap : axis.taps) {
    if (tap.count > 0) {
      float red = 0, green = 0, blue = 0;
      const float* source = row + (tap.first - axis.begin) * kChannels;
      for (std::int64_t j = 0; j < tap.count; ++j, source += kChannels) {
        const float weight = axis.weights[tap.weights + j];
        red += weight * source[0];
        green += weight * source[1];
        blue += weight * source[2];
      }
      out[0] = to_byte(red);
      out[1] = to_byte(green);
      out[2] = to_byte(blue);
    }
    out += kChannels;
  }
}

void copy_pixels(const std::uint8_t* pixels, const Axis& x, const Axis& y, std::uint8_t* out) {
  const std::int64_t stride = (x.end - x.begin) * kChannels;
  for (const AxisTap& down : y.taps) {
    if (down.count == 0) {
      out += static_cast<std::int64_t>(x.taps.size()) * kChannels;
      continue;
    }
    const std::uint8_t* row = pixels + (down.first - y.begin) * stride;
    for (const AxisTap& across : x.taps) {
      if (across.count > 0) std::memcpy(out, row + (across.first - x.begin) * kChannels, kChannels);
      out += kChannels;
    }
  }
}

void copy_piece(const SlidePiece& piece, const SlideWindow& window, std::uint8_t* pixels) {
  const std::int64_t left = std::max(piece.x, window.x), top = std::max(piece.y, window.y);
  const std::int64_t right = std::min(piece.x + piece.width, window.x + window.width);
  const std::int64_t bottom = std::min(piece.y + piece.height, window.y + window.height);
  if (left >= right) return;
  for (std::int64_t row = top; row < bottom; ++row) {
    std::memcpy(pixels + ((row - window.y) * window.width + left - window.x) * kChannels,
                piece.pixels + ((row - piece.y) * piece.width + left - piece.x) * kChannels,
                static_cast<std::size_t>((right - left) * kChannels));
  }
}

}  // namespace

SlideWindow region_window(const SlideGeometry& geometry, std::int64_t level_width,
                          std::int64_t level_height) {
  check_geometry(geometry, level_width, level_height);
  return window_of(axis_of(geometry.x, geometry.scale, geometry.width, level_width),
                   axis_of(geometry.y, geometry.scale, geometry.height, level_height));
}

at::Tensor resample_window(const FillWindow& fill, std::int64_t level_width, std::int64_t level_height,
                           const SlideGeometry& geometry) {
  check_geometry(geometry, level_width, level_height);
  const Axis x = axis_of(geometry.x, geometry.scale, geometry.width, level_width);
  const Axis y = axis_of(geometry.y, geometry.scale, geometry.height, level_height);
  const SlideWindow window = window_of(x, y);
  at::Tensor out = at::full({geometry.height, geometry.width, kChannels}, kWhite, at::kByte);
  if (window.width == 0) return out;

  check_option(window.width <= kMostPixels / window.height,
               "a region must rest on at most 2^30 level pixels, got " + std::to_string(window.width) +
                   " x " + std::to_string(window.height));
  const std::int64_t stride = window.width * kChannels;
  std::vector<std::uint8_t> pixels(static_cast<std::size_t>(stride * window.height), kWhite);
  fill(window, pixels.data());

  auto* to = out.mutable_data_ptr<std::uint8_t>();
  if (is_copy(x) && is_copy(y)) {
    copy_pixels(pixels.data(), x, y, to);
    return out;
  }
  std::vector<float> row(static_cast<std::size_t>(stride));
  for (const AxisTap& tap : y.taps) {
    if (tap.count > 0) {
      mix_rows(pixels.data(), stride, tap, y.weights.data(), y.begin, row.data());
      mix_columns(row.data(), x, to);
    }
    to += geometry.width * kChannels;
  }
  return out;
}

at::Tensor render_region(const std::vector<SlidePiece>& pieces, std::int64_t level_width,
                         std::int64_t level_height, const SlideGeometry& geometry) {
  return resample_window(
      [&](const SlideWindow& window, std::uint8_t* pixels) {
        for (const SlidePiece& piece : pieces) copy_piece(piece, window, pixels);
      },
      level_width, level_height, geometry);
}

}  // namespace stainfold
