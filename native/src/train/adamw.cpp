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

// What the fused kernels take.
struct Lists {
  std::vector<at::Tensor> values, gradients, means, squares;

  template <typename Slot>
  explicit Lists(const std::vector<const Slot*>& slots) {
    for (const Slot* slot : slots) {
      values.push_back(slot->value);
      gradients.push_back(slot->value.grad());
      means.push_back(slot->exp_avg);
      squares.push_back(slot->exp_avg_sq);
    }
  }

  // They read a counter for each parameter; one is enough for all.
  std::vector<at::Tensor> for_all(const at::Tensor& count) const {
    return std::vector<at::Tensor>(values.size(), count);
  }
};

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

template <typename Use>
void AdamW::each_kind(Use use) const {
  std::vector<const Slot*> decayed, free;
  for (const Slot& slot : slots_) {
    if (slot.value.grad().defined()) (slot.value.dim() > 1 ? decayed : free).push_back(&slot);
  }
  const at::NoGradGuard no_grad;
  if (!decayed.empty()) use(decayed, weight_decay_);
  if (!free.empty()) use(free, 0.0);
}

void AdamW::step(double learning_rate, std::int64_t count, double scale) {
  each_kind([&](const std::vector<const Slot*>& slots, double decay) {
    Lists of(slots);
    if (scale != 1.0) at::_foreach_mul_(of.gradients, scale);
    const at::Tensor number = at::full({}, static_cast<double>(count), of.values.front().options());
    at::_fused_adamw_(of.values, of.gradients, of.means, of.squares, {}, of.for_all(number), learning_rate,
                      beta1_, kBeta2, decay, kEpsilon, /*amsgrad=*/false, /*maximize=*/false);
  });
}

void AdamW::step(const Update& update) {
  const at::Tensor number = update.count.to(at::kFloat);
  // The kernels for CUDA read a float32, the CPU's take the number as it is.
  const at::Tensor rate =
      update.learning_rate.is_cpu() ? update.learning_rate : update.learning_rate.to(at::kFloat);
  each_kind([&](const std::vector<const Slot*>& slots, double decay) {
    Lists of(slots);
    if (update.scale.defined()) at::_foreach_mul_(of.gradients, update.scale);
    at::_fused_adamw_(of.values, of.gradients, of.means, of.squares, {}, of.for_all(number), rate, beta1_,
                      kBeta2, decay, kEpsilon, /*amsgrad=*/false, /*maximize=*/false, /*grad_scale=*/{},
                      update.skip);
  });
}

void AdamW::append_state(std::vector<NamedTensor>& list) const {
  for (const Slot& slot : slots_) {
    list.push_back({"optimiser." + slot.name + ".exp_avg", slot.exp_avg});
    list.push_back({"optimiser." + slot.name + ".exp_avg_sq", slot.exp_avg_sq});
  }
}

}  // namespace stainfold
