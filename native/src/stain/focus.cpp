#include "stain/focus.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

namespace stainfold {
namespace {

constexpr double kReach = 2.5;       // sigmas that a kernel spans to either side
constexpr double kLeastSigma = 0.1;  // narrower is the identity in float32
// Weights below this are lost in float32, and their products would be denormal: a convolution with them takes
// five times as long.
constexpr double kLeastWeight = 1e-12;

std::int64_t radius_of(double sigma_max) {
  return static_cast<std::int64_t>(std::ceil(kReach * std::max(sigma_max, kLeastSigma)));
}

at::Tensor focus_kernels(const FocusProfiles& focus) {  // -> [V,1,2r+1,2r+1]
  const std::int64_t taps = focus.profile.size(1), radius = taps / 2;
  const at::Tensor weight = focus.weight.view({-1, 1, 1, 1});
  at::Tensor kernels = focus.profile.view({-1, 1, taps, 1}) * focus.profile.view({-1, 1, 1, taps}) * weight;
  kernels.select(2, radius).select(2, radius).add_(1 - weight.view({-1, 1}));
  return kernels;
}

}  // namespace

FocusProfiles focus_profiles(const at::Tensor& amount, double sigma_max) {
  const std::int64_t radius = radius_of(sigma_max);
  const at::Tensor blurs = amount.gt(0);
  const at::Tensor sigma = at::where(blurs, amount * sigma_max, sigma_max).clamp_min_(kLeastSigma);
  const at::Tensor offset = at::arange(-radius, radius + 1, amount.options()) / sigma.unsqueeze(1);
  const at::Tensor line = at::threshold((-0.5 * offset * offset).exp_(), kLeastWeight, 0);  // [V,2r+1]
  return {line / line.sum(1, /*keepdim=*/true), at::where(blurs, 1.0, amount).to(amount.dtype())};
}

at::Tensor refocus(const at::Tensor& pixels, const at::Tensor& amount, double sigma_max) {
  const std::int64_t radius = radius_of(sigma_max);
  const std::int64_t planes = pixels.size(0) * 3;
  const at::Tensor kernels =
      focus_kernels(focus_profiles(amount, sigma_max)).to(pixels.device()).repeat_interleave(3, 0);
  // One group a plane: every view has a kernel of its own.
  const at::Tensor padded = at::replication_pad2d(pixels, {radius, radius, radius, radius});
  return at::conv2d(padded.reshape({1, planes, padded.size(2), padded.size(3)}), kernels, /*bias=*/{},
                    /*stride=*/1, at::IntArrayRef(0), /*dilation=*/1, /*groups=*/planes)
      .clamp_(0, 1)
      .view(pixels.sizes());
}

}  // namespace stainfold
