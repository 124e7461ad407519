#include <torch/csrc/autograd/custom_function.h>
#include <torch/library.h>

namespace stainfold::ops {
namespace {

using at::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

class ReverseGradient : public torch::autograd::Function<ReverseGradient> {
 public:
  static Tensor forward(AutogradContext* context, const Tensor& x, double weight) {
    context->saved_data["weight"] = weight;
    return x.view_as(x);
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    return {gradients[0] * -context->saved_data["weight"].toDouble(), Tensor()};
  }
};

class ReverseGradientBy : public torch::autograd::Function<ReverseGradientBy> {
 public:
  static Tensor forward(AutogradContext* context, const Tensor& x, const Tensor& weight) {
    context->save_for_backward({weight});
    return x.view_as(x);
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    return {gradients[0] * -context->get_saved_variables()[0], Tensor()};
  }
};

TORCH_LIBRARY_IMPL(stainfold, Autograd, library) {
  library.impl("reverse_gradient",
               [](const Tensor& x, double weight) { return ReverseGradient::apply(x, weight); });
  library.impl("reverse_gradient.tensor",
               [](const Tensor& x, const Tensor& weight) { return ReverseGradientBy::apply(x, weight); });
}

}  // namespace
}  // namespace stainfold::ops
