#include "train/step_inputs.h"

#include <ATen/ops/empty.h>

#include <algorithm>
#include <vector>

#include "train/rank.h"

namespace stainfold {
namespace {

// All tensors of the inputs in a fixed order, undefined ones among them.
template <typename Inputs>
auto members(Inputs& inputs) {
  using Member = decltype(&inputs.schedule);
  const auto label = [](auto& given) -> Member { return given ? &*given : nullptr; };
  return std::vector<Member>{&inputs.views.pixels,
                             &inputs.views.source,
                             &inputs.views.lab,
                             &inputs.views.lab_range,
                             label(inputs.labels.real_lab),
                             label(inputs.labels.group),
                             &inputs.decoded_view,
                             &inputs.schedule};
}

bool has(const at::Tensor* tensor) { return tensor != nullptr && tensor->defined(); }

bool same_place(const at::Tensor* a, const at::Tensor* b) {
  if (!has(a) || !has(b)) return has(a) == has(b);
  return a->sizes() == b->sizes() && a->strides() == b->strides() && a->scalar_type() == b->scalar_type();
}

}  // namespace

StepOutputs::StepOutputs(const StepInputs& inputs, std::int64_t latent)
    : numbers(at::empty({6}, inputs.views.source.options())),
      z(at::empty({std::min(inputs.views.pixels.size(0), kRankedRows), latent}, numbers.options())) {}

bool FixedStep::take(const StepInputs& inputs, std::int64_t latent) {
  const auto from = members(inputs);
  if (!inputs_.schedule.defined()) {
    inputs_ = inputs;
    for (at::Tensor* own : members(inputs_)) {
      if (has(own)) *own = own->clone();
    }
    outputs_ = StepOutputs(inputs, latent);
    return true;
  }
  const auto own = members(inputs_);
  if (!std::equal(own.begin(), own.end(), from.begin(), same_place)) return false;
  for (std::size_t i = 0; i < own.size(); ++i) {
    if (has(own[i])) own[i]->copy_(*from[i], /*non_blocking=*/true);
  }
  return true;
}

}  // namespace stainfold
