#include <torch/csrc/autograd/custom_function.h>
#include <torch/library.h>

#include "ops/reconstruction.h"
#include "stainfold/error.h"

namespace stainfold::ops {
namespace {

using at::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

class ReconstructionForward : public torch::autograd::Function<ReconstructionForward> {
 public:
  static variable_list forward(AutogradContext* context, const Tensor& output, const Tensor& target) {
    const at::AutoDispatchBelowADInplaceOrView below_autograd;
    auto [loss, gradient] = reconstruction_forward(output, target);
    context->mark_non_differentiable({gradient});
    context->save_for_backward({gradient});
    return {loss, gradient};
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    if (at::GradMode::is_enabled()) {
      throw Error(ErrorCode::state,
                  "reconstruction_loss is differentiable once: double backward was asked for");
    }
    const Tensor scaled = context->get_saved_variables()[0] * gradients[0];
    return {context->needs_input_grad(0) ? scaled : Tensor(),
            context->needs_input_grad(1) ? scaled.neg() : Tensor()};
  }
};

std::tuple<Tensor, Tensor> reconstruction_forward_autograd(const Tensor& output, const Tensor& target) {
  const variable_list out = ReconstructionForward::apply(output, target);
  return {out[0], out[1]};
}

TORCH_LIBRARY_IMPL(stainfold, Autograd, library) {
  library.impl("reconstruction_forward", &reconstruction_forward_autograd);
}

}  // namespace
}  // namespace stainfold::ops
