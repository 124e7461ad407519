#include <torch/csrc/autograd/custom_function.h>
#include <torch/library.h>

#include "ops/norm_activation.h"
#include "stainfold/error.h"

namespace stainfold::ops {
namespace {

using at::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

class NormActivationForward : public torch::autograd::Function<NormActivationForward> {
 public:
  static variable_list forward(AutogradContext* context, const Tensor& x, const Tensor& gamma,
                               const Tensor& beta, const std::optional<Tensor>& residual, double epsilon,
                               bool relu) {
    const at::AutoDispatchBelowADInplaceOrView below_autograd;
    auto [y, mean, variance] = norm_activation_forward(x, gamma, beta, residual, epsilon, relu);
    context->mark_non_differentiable({mean, variance});
    // Without a residual the sign of y follows from x, which is then one tensor less to read.
    context->save_for_backward({x, gamma, beta, mean, variance, relu && residual ? y : Tensor()});
    context->saved_data["epsilon"] = epsilon;
    context->saved_data["relu"] = relu;
    context->saved_data["residual"] = residual.has_value();
    return {y, mean, variance};
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    if (at::GradMode::is_enabled()) {
      throw Error(ErrorCode::state, "norm_activation is differentiable once: double backward was asked for");
    }
    const variable_list saved = context->get_saved_variables();
    const std::optional<Tensor> y = saved[5].defined() ? std::optional(saved[5]) : std::nullopt;
    auto [x, gamma, beta, residual] = norm_activation_backward(
        gradients[0], saved[0], saved[1], saved[2], saved[3], saved[4], y,
        context->saved_data["epsilon"].toDouble(), context->saved_data["relu"].toBool());
    if (!context->saved_data["residual"].toBool()) residual = Tensor();
    return {x, gamma, beta, residual, Tensor(), Tensor()};
  }
};

std::tuple<Tensor, Tensor, Tensor> norm_activation_forward_autograd(const Tensor& x, const Tensor& gamma,
                                                                    const Tensor& beta,
                                                                    const std::optional<Tensor>& residual,
                                                                    double epsilon, bool relu) {
  const variable_list out = NormActivationForward::apply(x, gamma, beta, residual, epsilon, relu);
  return {out[0], out[1], out[2]};
}

TORCH_LIBRARY_IMPL(stainfold, Autograd, library) {
  library.impl("norm_activation_forward", &norm_activation_forward_autograd);
}

}  // namespace
}  // namespace stainfold::ops
