#include "train/adamw.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/_foreach_mul.h>
#include <ATen/ops/_foreach_norm.h>
#include <ATen/ops/_fused_adamw.h>
#include <ATen/ops/full.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>

namespace stainfold {
namespace {

constexpr double kBeta2 = 0.999;
constexpr double kEpsilon = 1e-8;

}  // namespace

AdamW::AdamW(std::vector<NamedTensor> parameters, double weight_decay, double beta1)
    : weight_decay_(weight_decay), beta1_(beta1) {
  for (NamedTensor& item : parameters) {
    const at::Tensor zeros = at::zeros_like(item.value);
    slots_.push_back({std::move(item.name), std::move(item.value), zeros, zeros.clone()});
  }
}

void AdamW::clear_gradients() {
  for (Slot& slot : slots_) slot.value.mutable_grad().reset();
}

at::Tensor AdamW::gradient_norm() const {
  std::vector<at::Tensor> gradients;
  for (const Slot& slot : slots_) {
    if (slot.value.grad().defined()) gradients.push_back(slot.value.grad());
  }
  if (gradients.empty()) return at::zeros({});
  return at::stack(at::_foreach_norm(gradients)).norm();
}

void AdamW::step(double learning_rate, std::int64_t count, double scale) {
  std::vector<const Slot*> decayed, free;
  for (const Slot& slot : slots_) {
    if (slot.value.grad().defined()) (slot.value.dim() > 1 ? decayed : free).push_back(&slot);
  }
  step(decayed, learning_rate, count, scale, weight_decay_);
  step(free, learning_rate, count, scale, 0.0);
}

void AdamW::step(const std::vector<const Slot*>& slots, double learning_rate, std::int64_t count,
                 double scale, double decay) {
  if (slots.empty()) return;
  const at::NoGradGuard no_grad;
  std::vector<at::Tensor> values, gradients, means, squares;
  for (const Slot* slot : slots) {
    values.push_back(slot->value);
    gradients.push_back(slot->value.grad());
    means.push_back(slot->exp_avg);
    squares.push_back(slot->exp_avg_sq);
  }
  if (scale != 1.0) at::_foreach_mul_(gradients, scale);
  // The fused kernel reads a counter per parameter from the device; one is enough for all.
  const std::vector<at::Tensor> counts(slots.size(),
                                       at::full({}, static_cast<double>(count), values.front().options()));
  at::_fused_adamw_(values, gradients, means, squares, {}, counts, learning_rate, beta1_, kBeta2, decay,
                    kEpsilon, /*amsgrad=*/false, /*maximize=*/false);
}

void AdamW::append_state(std::vector<NamedTensor>& list) const {
  for (const Slot& slot : slots_) {
    list.push_back({"optimiser." + slot.name + ".exp_avg", slot.exp_avg});
    list.push_back({"optimiser." + slot.name + ".exp_avg_sq", slot.exp_avg_sq});
  }
}

}  // namespace stainfold
