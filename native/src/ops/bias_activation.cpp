#include "ops/bias_activation.h"

#include <ATen/core/dispatch/Dispatcher.h>
#include <torch/library.h>

#include "core/checks.h"

namespace stainfold::ops {

at::Tensor& bias_activation_(at::Tensor& y, const at::Tensor& bias, const std::optional<at::Tensor>& residual,
                             bool relu) {
  check_shape(y, "y", {-1, -1, -1, -1});
  check_shape(bias, "bias", {y.size(1)});
  if (residual) check_shape(*residual, "residual", {y.size(0), y.size(1), y.size(2), y.size(3)});
  static const auto op = c10::Dispatcher::singleton()
                             .findSchemaOrThrow("stainfold::bias_activation_", "")
                             .typed<decltype(bias_activation_)>();
  return op.call(y, bias, residual, relu);
}

at::Tensor& bias_activation_any(at::Tensor& y, const at::Tensor& bias,
                                const std::optional<at::Tensor>& residual, bool relu) {
  at::Tensor sum = y.to(at::kFloat) + bias.to(at::kFloat).view({1, -1, 1, 1});
  if (residual) sum = sum + *residual;
  return y.copy_(relu ? sum.relu_() : sum);
}

TORCH_LIBRARY_FRAGMENT(stainfold, library) {
  library.def("bias_activation_(Tensor(a!) y, Tensor bias, Tensor? residual, bool relu) -> Tensor(a!)");
}
TORCH_LIBRARY_IMPL(stainfold, CompositeExplicitAutograd, library) {
  library.impl("bias_activation_", &bias_activation_any);
}

}  // namespace stainfold::ops
