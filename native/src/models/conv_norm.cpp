#include "models/conv_norm.h"

#include <ATen/ops/batch_norm.h>
#include <ATen/ops/conv2d.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/rsqrt.h>
#include <ATen/ops/zeros.h>

#include <algorithm>

#include "core/interrupt.h"
#include "models/few_pixels.h"
#include "ops/bias_activation.h"
#include "ops/norm_activation.h"

namespace stainfold {
namespace {

// Share of each batch in the running statistics: short runs need them to follow quickly.
constexpr double kMomentum = 0.1;
constexpr double kEpsilon = 1e-5;

}  // namespace

ConvNorm::ConvNorm(std::int64_t in, std::int64_t out, std::int64_t kernel, std::int64_t stride)
    : kernel_(kernel), stride_(stride) {
  weight_ = register_parameter("weight", at::empty({out, in, kernel, kernel}));
  gamma_ = register_parameter("gamma", at::ones({out}));
  beta_ = register_parameter("beta", at::zeros({out}));
  mean_ = register_buffer("mean", at::zeros({out}));
  variance_ = register_buffer("variance", at::ones({out}));
}

at::Tensor ConvNorm::forward(const at::Tensor& x, Activation activation,
                             const std::optional<at::Tensor>& residual) {
  check_interrupt();
  const std::int64_t padding = kernel_ / 2;
  const bool relu = activation == Activation::relu;
  if (folded_bias_.defined() && x.is_cuda() && !at::GradMode::is_enabled()) {
    // cuDNN would add the bias in a pass of its own.
    at::Tensor y = at::conv2d(x, weight_, {}, stride_, padding);
    return ops::bias_activation_(y, folded_bias_, residual, relu);
  }
  const bool learning = is_training() && !folded_bias_.defined();
  at::Tensor y = learning && has_few_pixels(x, weight_, stride_)
                     ? convolve_few_pixels(x, weight_, stride_)
                     : at::conv2d(x, weight_, folded_bias_, stride_, padding);
  if (!folded_bias_.defined()) {
    if (learning && ops::serves_norm_activation(y)) return normalised(y, relu, residual);
    y = at::batch_norm(y, gamma_, beta_, mean_, variance_, is_training(), kMomentum, kEpsilon,
                       /*cudnn_enabled=*/true);
  }
  if (residual) y.add_(*residual);
  return relu ? y.relu_() : y;
}

at::Tensor ConvNorm::normalised(const at::Tensor& x, bool relu, const std::optional<at::Tensor>& residual) {
  const ops::Normalised out = ops::norm_activation(x, gamma_, beta_, residual, kEpsilon, relu);
  const at::NoGradGuard no_grad;
  const auto count = static_cast<double>(x.numel() / x.size(1));
  mean_.lerp_(out.mean, kMomentum);
  variance_.lerp_(out.variance * (count / std::max(1.0, count - 1)), kMomentum);
  return out.y;
}

void ConvNorm::fold() {
  if (folded_bias_.defined()) return;
  const at::NoGradGuard no_grad;
  const at::Tensor scale = gamma_ * at::rsqrt(variance_ + kEpsilon);
  folded_bias_ = beta_ - mean_ * scale;
  weight_.mul_(scale.view({-1, 1, 1, 1}));
  register_buffer("folded_bias", folded_bias_);
}

void fold_norms(torch::nn::Module& module) {
  for (const auto& child : module.modules()) {
    if (auto* conv = dynamic_cast<ConvNorm*>(child.get())) conv->fold();
  }
}

}  // namespace stainfold
