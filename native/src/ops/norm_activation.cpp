#include "ops/norm_activation.h"

#include <ATen/core/dispatch/Dispatcher.h>
#include <torch/library.h>

namespace stainfold::ops {

bool serves_norm_activation(const at::Tensor& x) {
  return x.is_cpu() && x.scalar_type() == at::kFloat && x.dim() == 4 && x.numel() > 0 &&
         x.is_contiguous(at::MemoryFormat::ChannelsLast);
}

std::tuple<at::Tensor, at::Tensor, at::Tensor> norm_activation_forward(
    const at::Tensor& x, const at::Tensor& gamma, const at::Tensor& beta,
    const std::optional<at::Tensor>& residual, double epsilon, bool relu) {
  static const auto op = c10::Dispatcher::singleton()
                             .findSchemaOrThrow("stainfold::norm_activation_forward", "")
                             .typed<decltype(norm_activation_forward)>();
  return op.call(x, gamma, beta, residual, epsilon, relu);
}

std::tuple<at::Tensor, at::Tensor, at::Tensor, at::Tensor> norm_activation_backward(
    const at::Tensor& gradient, const at::Tensor& x, const at::Tensor& gamma, const at::Tensor& beta,
    const at::Tensor& mean, const at::Tensor& variance, const std::optional<at::Tensor>& y, double epsilon,
    bool relu) {
  static const auto op = c10::Dispatcher::singleton()
                             .findSchemaOrThrow("stainfold::norm_activation_backward", "")
                             .typed<decltype(norm_activation_backward)>();
  return op.call(gradient, x, gamma, beta, mean, variance, y, epsilon, relu);
}

Normalised norm_activation(const at::Tensor& x, const at::Tensor& gamma, const at::Tensor& beta,
                           const std::optional<at::Tensor>& residual, double epsilon, bool relu) {
  auto [y, mean, variance] = norm_activation_forward(x, gamma, beta, residual, epsilon, relu);
  return {y, mean, variance};
}

TORCH_LIBRARY_FRAGMENT(stainfold, library) {
  library.def(
      "norm_activation_forward(Tensor x, Tensor gamma, Tensor beta, Tensor? residual, float epsilon, bool "
      "relu) -> (Tensor y, Tensor mean, Tensor variance)");
  library.def(
      "norm_activation_backward(Tensor gradient, Tensor x, Tensor gamma, Tensor beta, Tensor mean, Tensor "
      "variance, Tensor? y, float epsilon, bool relu) -> (Tensor, Tensor, Tensor, Tensor)");
}

}  // namespace stainfold::ops
