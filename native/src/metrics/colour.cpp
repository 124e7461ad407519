#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <array>
#include <cmath>

#include "core/checks.h"
#include "stainfold/metrics.h"

namespace stainfold {
namespace {

using Histogram = std::array<std::int64_t, 256>;
using Scale = std::array<double, 256>;  // value of a grey level, monotone

constexpr int statistics = 5;  // mean, deviation, 10th, 50th and 90th percentile

// -ln((I + 1) / 240), the convention of the stain room.
const Scale& optical_density() {
  static const Scale scale = [] {
    Scale values{};
    for (int level = 0; level < 256; ++level) values[level] = -std::log((level + 1) / 240.0);
    return values;
  }();
  return scale;
}

const Scale& grey_level() {
  static const Scale scale = [] {
    Scale values{};
    for (int level = 0; level < 256; ++level) values[level] = level;
    return values;
  }();
  return scale;
}

// The order statistic `rank` (0-based) of the levels.
int level_at(const Histogram& histogram, std::int64_t rank) {
  int level = 0;
  for (std::int64_t below = histogram[0]; below <= rank; below += histogram[++level]) {
  }
  return level;
}

// NumPy's linear percentile of the values at the levels.
double percentile(const Histogram& histogram, const Scale& scale, std::int64_t pixels, double fraction) {
  const bool rising = scale[255] > scale[0];
  const double position = (rising ? fraction : 1 - fraction) * static_cast<double>(pixels - 1);
  const auto rank = static_cast<std::int64_t>(position);
  const double low = scale[level_at(histogram, rank)];
  const double high = scale[level_at(histogram, std::min(rank + 1, pixels - 1))];
  return low + (high - low) * (position - static_cast<double>(rank));
}

void describe(const Histogram& histogram, const Scale& scale, std::int64_t pixels, float* out) {
  double mean = 0, variance = 0;
  for (int level = 0; level < 256; ++level) mean += static_cast<double>(histogram[level]) * scale[level];
  mean /= static_cast<double>(pixels);
  for (int level = 0; level < 256; ++level) {
    variance += static_cast<double>(histogram[level]) * (scale[level] - mean) * (scale[level] - mean);
  }
  out[0] = static_cast<float>(mean);
  out[1] = static_cast<float>(std::sqrt(variance / static_cast<double>(pixels)));
  out[2] = static_cast<float>(percentile(histogram, scale, pixels, 0.1));
  out[3] = static_cast<float>(percentile(histogram, scale, pixels, 0.5));
  out[4] = static_cast<float>(percentile(histogram, scale, pixels, 0.9));
}

}  // namespace

// Everything follows from one histogram a channel: one pass over the pixels, no sort.
at::Tensor colour_statistics(const at::Tensor& tiles) {
  check_tiles(tiles);
  const at::Tensor pixels = tiles.cpu().contiguous();
  const std::int64_t count = pixels.size(0), area = pixels.size(1) * pixels.size(2);
  at::Tensor result = at::empty({count, 2 * 3 * statistics}, at::kFloat);
  const std::uint8_t* const source = pixels.data_ptr<std::uint8_t>();
  float* const target = result.data_ptr<float>();
  at::parallel_for(0, count, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t tile = begin; tile < end; ++tile) {
      std::array<Histogram, 3> histograms{};
      const std::uint8_t* pixel = source + tile * area * 3;
      for (std::int64_t i = 0; i < area; ++i, pixel += 3) {
        for (int channel = 0; channel < 3; ++channel) ++histograms[channel][pixel[channel]];
      }
      float* out = target + tile * 2 * 3 * statistics;
      for (const Scale* scale : {&grey_level(), &optical_density()}) {
        for (int channel = 0; channel < 3; ++channel, out += statistics) {
          describe(histograms[channel], *scale, area, out);
        }
      }
    }
  });
  return result;
}

}  // namespace stainfold
