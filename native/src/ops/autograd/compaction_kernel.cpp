#include <torch/csrc/autograd/custom_function.h>
#include <torch/library.h>

#include "ops/compaction.h"
#include "stainfold/error.h"

namespace stainfold::ops {
namespace {

using at::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

void save(AutogradContext* context, const Tensor& z, const Tensor& lse, std::int64_t tiles,
          double temperature, const std::optional<Tensor>& group) {
  context->save_for_backward({z, lse, group.value_or(Tensor())});
  context->saved_data["tiles"] = tiles;
  context->saved_data["temperature"] = temperature;
}

class CompactionForward : public torch::autograd::Function<CompactionForward> {
 public:
  static variable_list forward(AutogradContext* context, const Tensor& z, std::int64_t tiles,
                               double temperature, const std::optional<Tensor>& group) {
    const at::AutoDispatchBelowADInplaceOrView below_autograd;
    auto [loss, lse] = compaction_forward(z, tiles, temperature, group);
    context->mark_non_differentiable({lse});
    save(context, z, lse, tiles, temperature, group);
    return {loss, lse};
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const variable_list saved = context->get_saved_variables();
    const std::optional<Tensor> group = saved[2].defined() ? std::optional<Tensor>(saved[2]) : std::nullopt;
    return {compaction_backward(gradients[0], saved[0], saved[1], context->saved_data["tiles"].toInt(),
                                context->saved_data["temperature"].toDouble(), group),
            Tensor(), Tensor(), Tensor()};
  }
};

// Recorded only when a graph of the gradient is asked for; going through it is what must not pass silently.
class CompactionBackward : public torch::autograd::Function<CompactionBackward> {
 public:
  static Tensor forward(AutogradContext*, const Tensor& gradient, const Tensor& z, const Tensor& lse,
                        std::int64_t tiles, double temperature, const std::optional<Tensor>& group) {
    const at::AutoDispatchBelowADInplaceOrView below_autograd;
    return compaction_backward(gradient, z, lse, tiles, temperature, group);
  }

  static variable_list backward(AutogradContext*, const variable_list&) {
    throw Error(ErrorCode::state, "compaction_loss is differentiable once: double backward was asked for");
  }
};

std::tuple<Tensor, Tensor> compaction_forward_autograd(const Tensor& z, std::int64_t tiles,
                                                       double temperature,
                                                       const std::optional<Tensor>& group) {
  const variable_list out = CompactionForward::apply(z, tiles, temperature, group);
  return {out[0], out[1]};
}

Tensor compaction_backward_autograd(const Tensor& gradient, const Tensor& z, const Tensor& lse,
                                    std::int64_t tiles, double temperature,
                                    const std::optional<Tensor>& group) {
  return CompactionBackward::apply(gradient, z, lse, tiles, temperature, group);
}

TORCH_LIBRARY_IMPL(stainfold, Autograd, library) {
  library.impl("compaction_forward", &compaction_forward_autograd);
  library.impl("compaction_backward", &compaction_backward_autograd);
}

}  // namespace
}  // namespace stainfold::ops
