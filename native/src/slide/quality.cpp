#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "core/checks.h"
#include "slide/pixels.h"
#include "stainfold/slide.h"

namespace stainfold {
namespace {

constexpr int kGlassLeast = 210;  // glass: no channel below this ...
constexpr int kGlassSpread = 25;  // ... and no colour
constexpr int kBlack = 40;        // no channel above this: ink, never a nucleus
constexpr double kInkSaturation = 0.25, kInkGreenFrom = 75, kInkGreenTo = 215;  // hue in degrees
constexpr double kGlaringSaturation = 0.8;
constexpr int kFilled = 8;  // no channel above this: no pixel of the scan
constexpr std::int64_t kMostBlocks = 256;
constexpr double kFoldDensity = 1.2;  // times what the slide's dense parts have: no single section

// Hue in degrees, 0 to 360, of a pixel that has a colour.
double hue_of(int red, int green, int blue) {
  const int most = std::max({red, green, blue}), least = std::min({red, green, blue});
  const double range = most - least;
  double sixth = 0;
  if (most == red) {
    sixth = (green - blue) / range;
  } else if (most == green) {
    sixth = 2 + (blue - red) / range;
  } else {
    sixth = 4 + (red - green) / range;
  }
  return 60 * (sixth < 0 ? sixth + 6 : sixth);
}

bool is_ink(int red, int green, int blue) {
  const int most = std::max({red, green, blue}), least = std::min({red, green, blue});
  if (most < kFilled) return false;
  if (most < kBlack) return true;
  const double saturation = static_cast<double>(most - least) / most;
  if (saturation < kInkSaturation) return false;
  const double hue = hue_of(red, green, blue);
  if (hue >= kInkGreenFrom && hue <= kInkGreenTo) return true;
  return saturation >= kGlaringSaturation;
}

class Tile {
 public:
  Tile(const std::uint8_t* pixels, std::int64_t height, std::int64_t width)
      : pixels_(pixels), height_(height), width_(width) {
    stained_.resize(static_cast<std::size_t>(height * width));
    luminance_.resize(stained_.size());
    for (std::size_t i = 0; i < stained_.size(); ++i) {
      const std::uint8_t* at = pixels + 3 * i;
      const int most = std::max({at[0], at[1], at[2]}), least = std::min({at[0], at[1], at[2]});
      stained_[i] = most >= kFilled && (least < kGlassLeast || most - least > kGlassSpread) ? 1 : 0;
      luminance_[i] = 0.299F * at[0] + 0.587F * at[1] + 0.114F * at[2];
    }
  }

  double stained() const {
    return static_cast<double>(std::ranges::count(stained_, 1)) / static_cast<double>(stained_.size());
  }

  double sharpness() const {
    double laplacian = 0, gradient = 0;
    for (std::int64_t y = 1; y + 1 < height_; ++y) {
      for (std::int64_t x = 1; x + 1 < width_; ++x) {
        const std::int64_t i = y * width_ + x;
        if (stained_[i] == 0) continue;
        const float* at = luminance_.data() + i;
        const double curve = at[1] + at[-1] + at[width_] + at[-width_] - 4 * at[0];
        const double across = (at[1] - at[-1]) / 2, down = (at[width_] - at[-width_]) / 2;
        laplacian += curve * curve;
        gradient += across * across + down * down;
      }
    }
    return gradient > 0 ? laplacian / gradient : 0;
  }

  double ink() const {
    std::int64_t found = 0;
    for (std::size_t i = 0; i < stained_.size(); ++i) {
      const std::uint8_t* at = pixels_ + 3 * i;
      if (is_ink(at[0], at[1], at[2])) ++found;
    }
    return static_cast<double>(found) / static_cast<double>(stained_.size());
  }

  double fold(double density, std::int64_t blocks) const {
    std::int64_t stained_blocks = 0, folded = 0;
    for (std::int64_t row = 0; row < blocks; ++row) {
      for (std::int64_t column = 0; column < blocks; ++column) {
        const auto [share, mean] = block(row, column, blocks);
        if (share < 0.5) continue;
        ++stained_blocks;
        if (mean > kFoldDensity * density) ++folded;
      }
    }
    return stained_blocks == 0 ? 0 : static_cast<double>(folded) / static_cast<double>(stained_blocks);
  }

 private:
  struct Block {
    double stained, density;
  };

  Block block(std::int64_t row, std::int64_t column, std::int64_t blocks) const {
    const auto& density = densities();
    std::int64_t pixels = 0, stained = 0;
    std::int64_t sum[3] = {0, 0, 0};
    for (std::int64_t y = row * height_ / blocks; y < (row + 1) * height_ / blocks; ++y) {
      for (std::int64_t x = column * width_ / blocks; x < (column + 1) * width_ / blocks; ++x) {
        const std::int64_t i = y * width_ + x;
        ++pixels;
        stained += stained_[i];
        for (int channel = 0; channel < 3; ++channel) sum[channel] += pixels_[3 * i + channel];
      }
    }
    if (pixels == 0) return {0, 0};
    double total = 0;
    for (const std::int64_t value : sum) total += density[value / pixels];
    return {static_cast<double>(stained) / static_cast<double>(pixels), total / 3};
  }

  const std::uint8_t* pixels_;
  std::int64_t height_, width_;
  std::vector<std::uint8_t> stained_;
  std::vector<float> luminance_;
};

}  // namespace

at::Tensor tile_quality(const at::Tensor& tiles, double density, std::int64_t blocks) {
  check_tiles(tiles);
  check_option(std::isfinite(density) && density > 0,
               "density must be above 0, got " + std::to_string(density));
  check_option(blocks >= 1 && blocks <= kMostBlocks,
               "blocks must be 1 to 256, got " + std::to_string(blocks));
  const at::Tensor pixels = tiles.contiguous();
  const std::int64_t count = pixels.size(0), height = pixels.size(1), width = pixels.size(2);
  constexpr auto columns = static_cast<std::int64_t>(TileMeasure::count);
  const at::Tensor measures = at::empty({count, columns}, at::kDouble);
  auto* to = measures.mutable_data_ptr<double>();
  for (std::int64_t i = 0; i < count; ++i, to += columns) {
    const Tile tile(pixels.const_data_ptr<std::uint8_t>() + i * height * width * 3, height, width);
    to[static_cast<std::int64_t>(TileMeasure::stained)] = tile.stained();
    to[static_cast<std::int64_t>(TileMeasure::sharpness)] = tile.sharpness();
    to[static_cast<std::int64_t>(TileMeasure::ink)] = tile.ink();
    to[static_cast<std::int64_t>(TileMeasure::fold)] = tile.fold(density, blocks);
  }
  return measures;
}

}  // namespace stainfold
