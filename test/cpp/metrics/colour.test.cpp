#include <algorithm>
#include <cmath>
#include <vector>

#include "stainfold/metrics.h"
#include "testing.h"

using namespace stainfold;
using stainfold::testing::code_of;

namespace {

std::vector<double> naive_statistics(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  double mean = 0, variance = 0;
  for (const double value : values) mean += value / static_cast<double>(values.size());
  for (const double value : values)
    variance += (value - mean) * (value - mean) / static_cast<double>(values.size());
  std::vector<double> result = {mean, std::sqrt(variance)};
  for (const double fraction : {0.1, 0.5, 0.9}) {  // linear between order statistics, as NumPy
    const double position = fraction * static_cast<double>(values.size() - 1);
    const auto low = static_cast<std::size_t>(position);
    const std::size_t high = std::min(low + 1, values.size() - 1);
    result.push_back(values[low] + (values[high] - values[low]) * (position - static_cast<double>(low)));
  }
  return result;
}

}  // namespace

TEST_CASE("colour statistics: equal sorting and summing") {
  at::Tensor tiles =
      (at::arange(4 * 7 * 9 * 3, at::kLong) * 7919).remainder(256).view({4, 7, 9, 3}).to(at::kByte);
  tiles[1].fill_(255);
  tiles[2].fill_(0);
  tiles = tiles.transpose(1, 2);  // not contiguous
  const at::Tensor result = colour_statistics(tiles);
  CHECK(result.sizes() == at::IntArrayRef({4, 30}));
  CHECK((result.scalar_type() == at::kFloat));
  for (int tile = 0; tile < 4; ++tile) {
    for (int channel = 0; channel < 3; ++channel) {
      std::vector<double> grey, density;
      const at::Tensor flat = tiles[tile].select(2, channel).contiguous().flatten();
      for (std::int64_t i = 0; i < flat.size(0); ++i) {
        grey.push_back(flat[i].item<std::uint8_t>());
        density.push_back(-std::log((grey.back() + 1) / 240));
      }
      const auto a = naive_statistics(grey), b = naive_statistics(density);
      for (int k = 0; k < 5; ++k) {
        CAPTURE(k);
        // The result is float32: half a unit in the last place of 255.
        CHECK(std::abs(result[tile][channel * 5 + k].item<double>() - a[k]) < 1e-5);
        CHECK(std::abs(result[tile][15 + channel * 5 + k].item<double>() - b[k]) < 1e-6);
      }
    }
  }
}

TEST_CASE("colour statistics: one pixel, and what they refuse") {
  const at::Tensor one = colour_statistics(at::full({1, 1, 1, 3}, 239, at::kByte));
  CHECK(one[0][0].item<float>() == 239.0F);
  CHECK(one[0][15].item<float>() == 0.0F);  // 239 is the white of OD
  CHECK(code_of([] { colour_statistics(at::zeros({2, 4, 4, 3})); }) == ErrorCode::dtype);
  CHECK(code_of([] { colour_statistics(at::zeros({2, 3, 4, 4}, at::kByte)); }) == ErrorCode::shape);
  CHECK(code_of([] { colour_statistics(at::zeros({0, 4, 4, 3}, at::kByte)); }) == ErrorCode::shape);
}
