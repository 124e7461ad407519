#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "core/checks.h"
#include "slide/morphology.h"
#include "slide/pixels.h"
#include "stainfold/slide.h"

namespace stainfold {
namespace {

constexpr int kBins = 256;
constexpr float kBlackValue = 0.1F;  // below: what a scanner fills in, whose saturation says nothing
constexpr float kNoTissue = -1;
constexpr double kMostOf = 0.9;

// Saturation of the 3 x 3 means; kNoTissue where black.
std::vector<float> smooth_saturation(const std::uint8_t* pixels, std::int64_t height, std::int64_t width) {
  std::vector<float> saturation(static_cast<std::size_t>(height * width));
  for (std::int64_t y = 0; y < height; ++y) {
    const std::int64_t top = std::max<std::int64_t>(0, y - 1), bottom = std::min(height - 1, y + 1);
    for (std::int64_t x = 0; x < width; ++x) {
      const std::int64_t left = std::max<std::int64_t>(0, x - 1), right = std::min(width - 1, x + 1);
      int sum[3] = {0, 0, 0};
      for (std::int64_t row = top; row <= bottom; ++row) {
        const std::uint8_t* at = pixels + (row * width + left) * 3;
        for (std::int64_t column = left; column <= right; ++column, at += 3) {
          for (int channel = 0; channel < 3; ++channel) sum[channel] += at[channel];
        }
      }
      const auto [least, most] = extremes_of(sum[0], sum[1], sum[2]);
      const double full = 255.0 * static_cast<double>((bottom - top + 1) * (right - left + 1));
      saturation[y * width + x] =
          most < kBlackValue * full ? kNoTissue : static_cast<float>((most - least) / most);
    }
  }
  return saturation;
}

// Otsu 1979: the threshold with the greatest variance between the two classes.
double otsu(const std::vector<float>& values) {
  std::vector<double> histogram(kBins, 0);
  double total = 0, sum = 0;
  for (const float value : values) {
    if (value < 0) continue;
    const int bin = std::clamp(static_cast<int>(value * kBins), 0, kBins - 1);
    ++histogram[bin];
    ++total;
    sum += bin;
  }
  double best = -1, below = 0, sum_below = 0;
  int at = 0;
  for (int bin = 0; bin + 1 < kBins; ++bin) {
    below += histogram[bin];
    sum_below += bin * histogram[bin];
    if (below == 0 || below == total) continue;
    const double difference = sum_below / below - (sum - sum_below) / (total - below);
    const double between = below * (total - below) * difference * difference;
    if (between > best) {
      best = between;
      at = bin;
    }
  }
  return (at + 1.0) / kBins;
}

}  // namespace

TissueFound find_tissue(const at::Tensor& pixels, const TissueOptions& options) {
  check_picture(pixels);
  check_option(options.least_saturation <= options.most_saturation,
               "the least saturation must not be above the most");
  const at::Tensor picture = pixels.contiguous();
  const std::int64_t height = picture.size(0), width = picture.size(1);
  const std::vector<float> saturation =
      smooth_saturation(picture.const_data_ptr<std::uint8_t>(), height, width);
  const double threshold = std::clamp(otsu(saturation), options.least_saturation, options.most_saturation);

  const at::Tensor mask = at::empty({height, width}, at::kByte);
  auto* to = mask.mutable_data_ptr<std::uint8_t>();
  for (std::size_t i = 0; i < saturation.size(); ++i) to[i] = saturation[i] > threshold ? 1 : 0;
  close_mask(to, height, width, options.closing);
  remove_small(to, height, width, options.smallest);
  fill_holes(to, height, width, options.largest_hole);
  return {mask, threshold};
}

double high_density(const at::Tensor& pixels, const at::Tensor& mask) {
  check_picture(pixels);
  check_shape(mask, "mask", {pixels.size(0), pixels.size(1)});
  check_dtype(mask, "mask", {at::kByte});
  const at::Tensor picture = pixels.contiguous(), chosen = mask.contiguous();
  const auto* at = picture.const_data_ptr<std::uint8_t>();
  const auto* in = chosen.const_data_ptr<std::uint8_t>();
  const auto& density = densities();
  std::vector<float> values;
  for (std::int64_t i = 0; i < chosen.numel(); ++i) {
    if (in[i] != 0)
      values.push_back((density[at[3 * i]] + density[at[3 * i + 1]] + density[at[3 * i + 2]]) / 3);
  }
  if (values.empty()) return 0;
  const auto high =
      values.begin() + static_cast<std::ptrdiff_t>(kMostOf * static_cast<double>(values.size() - 1));
  std::nth_element(values.begin(), high, values.end());
  return *high;
}

}  // namespace stainfold
