#include "stain/intensity.h"

#include <ATen/ATen.h>

#include <cmath>

namespace stainfold {
namespace {

constexpr double kLeastWindow = 0.05;  // light

at::Tensor per_channel(const at::Tensor& values) { return values.view({values.size(0), -1, 1, 1}); }

at::Tensor scrambled(at::Tensor words) {  // int64 in [0,2^32), overwritten
  // Wellons' "hash prospector": two rounds of xor-shift and multiply on 32 bits. The factors lie below 2^31,
  // so that no product leaves 63 bits.
  constexpr std::int64_t kMask = 0xffffffff;
  words.bitwise_xor_(words.bitwise_right_shift(16)).mul_(0x21f0aaad).bitwise_and_(kMask);
  words.bitwise_xor_(words.bitwise_right_shift(15)).mul_(0x735a2d97).bitwise_and_(kMask);
  return words.bitwise_xor_(words.bitwise_right_shift(15));
}

// Standard normal numbers: Box-Muller on the two halves of a word; 16 bits reach 4.7 deviations.
at::Tensor normal_field(const at::Tensor& seeds, std::int64_t planes, std::int64_t height, std::int64_t width,
                        std::int64_t stream) {  // -> [V,planes,H,W]
  const at::Tensor start = scrambled(seeds * 2 + stream).view({-1, 1, 1, 1});
  const at::Tensor place =
      at::arange(planes * height * width, seeds.options()).view({1, planes, height, width});
  const at::Tensor words = scrambled((place + start).bitwise_and_(0xffffffff));
  const at::Tensor one = words.bitwise_right_shift(16).to(at::kFloat).add_(0.5).mul_(1.0 / 65536);
  const at::Tensor other = words.bitwise_and(0xffff).to(at::kFloat).mul_(2 * M_PI / 65536);
  return one.log_().mul_(-2).sqrt_().mul_(other.cos_());
}

}  // namespace

void add_background(at::Tensor& pixels, const at::Tensor& offset) {
  pixels.add_(per_channel(offset)).clamp_(0, 1);
}

void change_window(at::Tensor& pixels, const at::Tensor& window) {
  const at::Tensor low = window.narrow(1, 0, 3).abs(), width = window.narrow(1, 3, 3).exp().sub_(low);
  // The bound: jitter may bring the ends together, and a window of nothing would divide by 0.
  pixels.sub_(per_channel(low)).div_(per_channel(width.clamp_min_(kLeastWindow))).clamp_(0, 1);
}

void multiply_bias(at::Tensor& pixels, const at::Tensor& coefficients) {
  const std::int64_t views = pixels.size(0), height = pixels.size(2), width = pixels.size(3);
  const auto axis = [&](std::int64_t side) {  // centres of the pixels
    return (at::arange(side, coefficients.options()) + 0.5) * (2.0 / static_cast<double>(side)) - 1;
  };
  const auto legendre = [](const at::Tensor& x) { return (x * x * 3 - 1) / 2; };
  const at::Tensor x = axis(width).view({1, width}).expand({height, width});
  const at::Tensor y = axis(height).view({height, 1}).expand({height, width});
  const at::Tensor basis = at::stack({x, y, legendre(x), x * y, legendre(y)}).view({5, height * width});
  const at::Tensor field = at::matmul(coefficients.reshape({views * 3, 5}), basis).exp_();
  pixels.mul_(field.view({views, 3, height, width})).clamp_(0, 1);
}

void add_noise(at::Tensor& pixels, const transform::Noise& noise, const at::Tensor& deviation,
               const at::Tensor& seeds) {
  if (noise.spread == 0) return;
  const std::int64_t height = pixels.size(2), width = pixels.size(3);
  at::Tensor field = at::zeros({1}, pixels.options());
  if (noise.common < 1) field = normal_field(seeds, 3, height, width, 0) * std::sqrt(1 - noise.common);
  if (noise.common > 0) field = field + normal_field(seeds, 1, height, width, 1) * std::sqrt(noise.common);
  if (noise.shot > 0) field = field * (pixels * noise.shot).add_(1 - noise.shot).sqrt_();
  pixels.add_(field * per_channel(deviation)).clamp_(0, 1);
}

}  // namespace stainfold
