// Batch normalisation by the batch's own statistics, a residual and a rectifier, in one: half the passes over
// memory of the three, forward and backward. float32 on the CPU.
#pragma once

#include <ATen/core/Tensor.h>

#include <optional>
#include <tuple>

namespace stainfold::ops {

// Whether norm_activation() serves x: float32 on the CPU, channels last.
bool serves_norm_activation(const at::Tensor& x);

struct Normalised {
  at::Tensor y;         // [N,C,H,W]
  at::Tensor mean;      // [C]
  at::Tensor variance;  // [C], of the population; neither carries a gradient
};

// y = norm(x) gamma + beta + residual, below 0 cut off where `relu`. Differentiable once, in all four.
Normalised norm_activation(const at::Tensor& x,                        // [N,C,H,W]
                           const at::Tensor& gamma,                    // [C]
                           const at::Tensor& beta,                     // [C]
                           const std::optional<at::Tensor>& residual,  // [N,C,H,W]
                           double epsilon, bool relu);

std::tuple<at::Tensor, at::Tensor, at::Tensor> norm_activation_forward(  // y, mean, variance
    const at::Tensor& x, const at::Tensor& gamma, const at::Tensor& beta,
    const std::optional<at::Tensor>& residual, double epsilon, bool relu);

// Of x, gamma, beta and the residual. y: what forward gave, where a residual was added before the rectifier.
std::tuple<at::Tensor, at::Tensor, at::Tensor, at::Tensor> norm_activation_backward(
    const at::Tensor& gradient, const at::Tensor& x, const at::Tensor& gamma, const at::Tensor& beta,
    const at::Tensor& mean, const at::Tensor& variance, const std::optional<at::Tensor>& y, double epsilon,
    bool relu);

}  // namespace stainfold::ops
