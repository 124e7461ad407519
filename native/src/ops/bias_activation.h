// stainfold::bias_activation_, called through the dispatcher: what follows a convolution whose norm is
// folded, in one pass over its output instead of three.
#pragma once

#include <ATen/core/Tensor.h>

#include <optional>

namespace stainfold::ops {

// y = y + bias + residual, and max(0, .) of it if `relu`: in place, summed in float32, rounded once. Without
// a gradient.
at::Tensor& bias_activation_(at::Tensor& y,  // [N,C,H,W], channels last, float32, float16 or bfloat16
                             const at::Tensor& bias,                     // [C], of y's type and device
                             const std::optional<at::Tensor>& residual,  // as y
                             bool relu);

// The same by LibTorch's operations, on any device, type and layout.
at::Tensor& bias_activation_any(at::Tensor& y, const at::Tensor& bias,
                                const std::optional<at::Tensor>& residual, bool relu);

}  // namespace stainfold::ops
