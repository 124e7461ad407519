// The batched matrices against JPEG's arithmetic written out a block at a time.
#include "stain/recompression.h"

#include <algorithm>

#include "tissue.h"

using namespace stainfold;
using namespace stainfold::testing;

namespace {

constexpr int kLumaTable[64] = {16, 11, 10, 16, 24,  40,  51,  61,  12, 12, 14, 19, 26,  58,  60,  55,
                                14, 13, 16, 24, 40,  57,  69,  56,  14, 17, 22, 29, 51,  87,  80,  62,
                                18, 22, 37, 56, 68,  109, 103, 77,  24, 35, 55, 64, 81,  104, 113, 92,
                                49, 64, 78, 87, 103, 121, 120, 101, 72, 92, 95, 98, 112, 100, 103, 99};
constexpr int kChromaCorner[4][4] = {{17, 18, 24, 47}, {18, 21, 26, 66}, {24, 26, 56, 99}, {47, 66, 99, 99}};

using Plane = std::vector<std::vector<double>>;

double basis(int frequency, int position) {
  return (frequency == 0 ? std::sqrt(0.125) : 0.5) * std::cos((2 * position + 1) * frequency * M_PI / 16);
}

// Quantises the 8 x 8 blocks of a plane of grey levels about 0, in place. Integer arithmetic of libjpeg.
void slow_requantise(Plane& plane, bool luma, int quality) {
  const int scale = quality < 50 ? 5000 / quality : 200 - 2 * quality;
  for (std::size_t top = 0; top < plane.size(); top += 8) {
    for (std::size_t left = 0; left < plane[0].size(); left += 8) {
      double level[8][8];
      for (int u = 0; u < 8; ++u) {
        for (int v = 0; v < 8; ++v) {
          double sum = 0;
          for (int y = 0; y < 8; ++y)
            for (int x = 0; x < 8; ++x) sum += basis(u, y) * basis(v, x) * plane[top + y][left + x];
          const int entry = luma ? kLumaTable[8 * u + v] : (u < 4 && v < 4 ? kChromaCorner[u][v] : 99);
          const int step = std::clamp((entry * scale + 50) / 100, 1, 255);
          level[u][v] = std::nearbyint(sum / step) * step;
        }
      }
      for (int y = 0; y < 8; ++y) {
        for (int x = 0; x < 8; ++x) {
          double sum = 0;
          for (int u = 0; u < 8; ++u)
            for (int v = 0; v < 8; ++v) sum += basis(u, y) * basis(v, x) * level[u][v];
          plane[top + y][left + x] = sum;
        }
      }
    }
  }
}

// 3/4 of the nearer sample and 1/4 of the farther one, per axis.
double upsampled(const Plane& plane, int y, int x) {
  const auto at = [&](int row, int column) {
    return plane[std::clamp<int>(row, 0, static_cast<int>(plane.size()) - 1)]
                [std::clamp<int>(column, 0, static_cast<int>(plane[0].size()) - 1)];
  };
  const int row = y / 2, column = x / 2, dy = y % 2 ? 1 : -1, dx = x % 2 ? 1 : -1;
  return (9 * at(row, column) + 3 * at(row + dy, column) + 3 * at(row, column + dx) +
          at(row + dy, column + dx)) /
         16;
}

// [3,H,W] in [0,1], sides multiples of 16
at::Tensor slow_recompress(const at::Tensor& image, int quality) {
  const int height = static_cast<int>(image.size(1)), width = static_cast<int>(image.size(2));
  const at::Tensor source = image.to(at::kDouble) * 255;
  const auto rgb = source.accessor<double, 3>();
  Plane luma(height, std::vector<double>(width)), blue(height / 2, std::vector<double>(width / 2)),
      red = blue;
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      const double r = rgb[0][y][x], g = rgb[1][y][x], b = rgb[2][y][x];
      luma[y][x] = 0.299 * r + 0.587 * g + 0.114 * b - 128;
      blue[y / 2][x / 2] += (-0.168736 * r - 0.331264 * g + 0.5 * b) / 4;
      red[y / 2][x / 2] += (0.5 * r - 0.418688 * g - 0.081312 * b) / 4;
    }
  }
  slow_requantise(luma, true, quality);
  slow_requantise(blue, false, quality);
  slow_requantise(red, false, quality);
  at::Tensor result = at::empty({3, height, width}, at::kDouble);
  auto out = result.accessor<double, 3>();
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      const double cb = upsampled(blue, y, x), cr = upsampled(red, y, x), light = luma[y][x] + 128;
      const double levels[3] = {light + 1.402 * cr, light - 0.344136 * cb - 0.714136 * cr,
                                light + 1.772 * cb};
      for (int k = 0; k < 3; ++k) out[k][y][x] = std::clamp(levels[k] / 255, 0.0, 1.0);
    }
  }
  return result;
}

}  // namespace

TEST_CASE("recompression equals the slow block arithmetic, each view at its own quality") {
  const at::Tensor image = planes(at::cat({stained_tiles(2, 32), noise_tiles(1, 32)})) / 255.0;
  const at::Tensor fast = recompress(image, at::tensor({40, 95, 7}, at::kLong));
  const int quality[] = {40, 95, 7};
  for (int i = 0; i < 3; ++i) {
    const at::Tensor difference = (fast[i].to(at::kDouble) - slow_recompress(image[i], quality[i])).abs();
    // float32 coefficients may round the other way at a half: then a block differs by a quantisation step.
    // Everywhere else they agree to a thousandth of a grey level.
    CHECK((difference > 4e-6).to(at::kDouble).mean().item<double>() < 0.02);
    CHECK(difference.mean().item<double>() < 1e-4);
  }
}

TEST_CASE("lower quality changes more, and none changes much of smooth tissue") {
  const at::Tensor ramp = at::linspace(0.2, 0.9, 64);
  const at::Tensor smooth =
      at::stack({ramp.view({1, 64}).expand({64, 64}), ramp.view({64, 1}).expand({64, 64}),
                 (ramp.view({1, 64}) + ramp.view({64, 1})) / 2})
          .unsqueeze(0);
  const auto quality = [](std::int64_t q) { return at::full({1}, q, at::kLong); };
  CHECK(psnr(recompress(smooth, quality(100)), smooth) > 45.0);
  CHECK(psnr(recompress(smooth, quality(40)), smooth) > 30.0);
  const at::Tensor rough = planes(stained_tiles(1, 64)) / 255.0;
  CHECK(psnr(recompress(rough, quality(40)), rough) < psnr(recompress(rough, quality(90)), rough) - 3.0);
}

TEST_CASE("sides that are no multiple of a macroblock keep their shape") {
  const at::Tensor image = planes(stained_tiles(2, 40)).slice(3, 0, 23) / 255.0;
  const at::Tensor result = recompress(image, at::full({2}, 95, at::kLong));
  CHECK(result.sizes() == image.sizes());
  const at::Tensor flat = at::full({1, 3, 5, 1}, 0.5);
  CHECK((recompress(flat, at::full({1}, 90, at::kLong)) - 0.5).abs().max().item<double>() < 1.0 / 255);
}
