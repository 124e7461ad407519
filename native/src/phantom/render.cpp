#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "core/checks.h"
#include "phantom/random.h"
#include "stainfold/phantom.h"

namespace stainfold {
namespace {

// One half of a normalised Gaussian, centre first; just {1} where it would not reach the next pixel.
std::vector<float> gaussian(double sigma) {
  const auto radius = static_cast<int>(std::ceil(3 * sigma));
  std::vector<float> taps(static_cast<std::size_t>(radius) + 1, 1.0F);
  if (sigma <= 0) return taps;
  double sum = 0;
  for (int i = -radius; i <= radius; ++i) sum += std::exp(-i * i / (2 * sigma * sigma));
  for (int i = 0; i <= radius; ++i)
    taps[i] = static_cast<float>(std::exp(-i * i / (2 * sigma * sigma)) / sum);
  return taps;
}

// Along rows of `width` interleaved values; the border repeats. One pass across, one down, each transposing.
void blur_transposed(const std::vector<float>& source, std::vector<float>& target, std::int64_t height,
                     std::int64_t width, const std::vector<float>& taps) {
  const auto radius = static_cast<std::int64_t>(taps.size()) - 1;
  for (std::int64_t y = 0; y < height; ++y) {
    const float* const row = source.data() + y * width * 3;
    for (std::int64_t x = 0; x < width; ++x) {
      float* const out = target.data() + (x * height + y) * 3;
      for (std::int64_t c = 0; c < 3; ++c) out[c] = taps[0] * row[x * 3 + c];
      for (std::int64_t i = 1; i <= radius; ++i) {
        const float* const left = row + std::max<std::int64_t>(x - i, 0) * 3;
        const float* const right = row + std::min(x + i, width - 1) * 3;
        for (std::int64_t c = 0; c < 3; ++c) out[c] += taps[i] * (left[c] + right[c]);
      }
    }
  }
}

void check_lab(const PhantomLab& lab) {
  check_option(lab.gamma > 0 && std::isfinite(lab.gamma),
               "gamma must be positive, got " + std::to_string(lab.gamma));
  check_option(lab.blur >= 0 && lab.blur <= 32,
               "blur must be from 0 to 32 pixels, got " + std::to_string(lab.blur));
  check_option(lab.noise >= 0 && std::isfinite(lab.noise),
               "noise must not be negative, got " + std::to_string(lab.noise));
  for (const double gain : lab.gain)
    check_option(gain > 0, "gain must be positive, got " + std::to_string(gain));
}

}  // namespace

at::Tensor phantom_render(const at::Tensor& concentrations, const PhantomLab& lab, std::uint64_t seed) {
  check_dtype(concentrations, "concentrations", {at::kFloat});
  check_shape(concentrations, "concentrations", {2, -1, -1});
  if (concentrations.numel() == 0) throw Error(ErrorCode::shape, "concentrations must not be empty");
  check_lab(lab);
  const at::Tensor planes = concentrations.cpu().contiguous();
  const std::int64_t height = planes.size(1), width = planes.size(2), pixels = height * width;
  const float* const h = planes.data_ptr<float>();
  const float* const e = h + pixels;

  // (gain exp(-M C))^gamma is one exponential: exp(gamma (ln gain - M C)).
  std::vector<float> light(static_cast<std::size_t>(pixels) * 3);
  for (int c = 0; c < 3; ++c) {
    const auto offset = static_cast<float>(lab.gamma * std::log(lab.gain[c]));
    const auto per_h = static_cast<float>(-lab.gamma * lab.stain[2 * c] * lab.scale[0]);
    const auto per_e = static_cast<float>(-lab.gamma * lab.stain[2 * c + 1] * lab.scale[1]);
    for (std::int64_t i = 0; i < pixels; ++i)
      light[i * 3 + c] = 255 * std::exp(offset + per_h * h[i] + per_e * e[i]);
  }
  if (lab.blur > 0) {
    const std::vector<float> taps = gaussian(lab.blur);
    std::vector<float> turned(light.size());
    blur_transposed(light, turned, height, width, taps);
    blur_transposed(turned, light, width, height, taps);
  }

  at::Tensor image = at::empty({height, width, 3}, at::kByte);
  std::uint8_t* const out = image.data_ptr<std::uint8_t>();
  // Four 16-bit uniforms of one draw: deviation sqrt(4/12) of 2^16.
  const auto noise = static_cast<float>(lab.noise * 1.7320508 / 65536);
  for (std::int64_t i = 0; i < pixels * 3; ++i) {
    const std::uint64_t bits =
        phantom::scramble(seed + phantom::golden_ratio * static_cast<std::uint64_t>(i + 1));
    const auto sum = static_cast<std::int64_t>((bits & 0xFFFF) + ((bits >> 16) & 0xFFFF) +
                                               ((bits >> 32) & 0xFFFF) + (bits >> 48));
    const float value = light[i] + noise * static_cast<float>(sum - 131070);
    out[i] = static_cast<std::uint8_t>(std::clamp(value + 0.5F, 0.0F, 255.0F));
  }
  return image;
}

}  // namespace stainfold
