#include "train/adamw.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/_foreach_mul.h>
#include <ATen/ops/_foreach_norm.h>
#include <ATen/ops/_fused_adamw.h>
#include <ATen/ops/full.h>
#include <ATen/ops/scalar_tensor.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>

#include <algorithm>
#include <cmath>

#include "core/parallel.h"
#include "train/simd/adamw_loops.h"

namespace stainfold {
namespace {

constexpr double kBeta2 = 0.999;
constexpr double kEpsilon = 1e-8;

// Whether one walk over memory meets the same elements in both.
bool same_order(const at::Tensor& a, const at::Tensor& b) {
  if (a.sizes() != b.sizes()) return false;
  for (std::int64_t d = 0; d < a.dim(); ++d) {
    if (a.size(d) > 1 && a.stride(d) != b.stride(d)) return false;
  }
  return true;
}

constexpr std::int64_t kPiece = 1 << 15;  // floats at a time: equal work for all threads, whatever the layers

// use(piece, tensor, first, count) for all pieces of all tensors, in parallel.
template <typename Use>
void for_pieces(const std::vector<std::int64_t>& sizes, Use use) {
  struct Piece {
    std::size_t tensor;
    std::int64_t first, count;
  };
  std::vector<Piece> pieces;
  for (std::size_t t = 0; t < sizes.size(); ++t) {
    for (std::int64_t at = 0; at < sizes[t]; at += kPiece) {
      pieces.push_back({t, at, std::min(kPiece, sizes[t] - at)});
    }
  }
  in_parallel(static_cast<std::int64_t>(pieces.size()), [&](std::int64_t i) {
    const Piece& piece = pieces[static_cast<std::size_t>(i)];
    use(i, piece.tensor, piece.first, piece.count);
  });
}

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
  if (on_cpu()) {
    std::vector<std::int64_t> sizes;
    std::int64_t total = 0;
    for (const at::Tensor& gradient : gradients) total += sizes.emplace_back(gradient.numel()) / kPiece + 1;
    std::vector<double> sums(static_cast<std::size_t>(total), 0.0);
    for_pieces(sizes, [&](std::int64_t piece, std::size_t t, std::int64_t first, std::int64_t count) {
      sums[static_cast<std::size_t>(piece)] =
          sum_of_squares(gradients[t].const_data_ptr<float>() + first, count);
    });
    double sum = 0;  // in one order, however many threads
    for (const double piece : sums) sum += piece;
    return at::scalar_tensor(std::sqrt(sum), at::kFloat);
  }
  return at::stack(at::_foreach_norm(gradients)).norm();
}

bool AdamW::on_cpu() const {
  return std::all_of(slots_.begin(), slots_.end(), [](const Slot& slot) {
    const at::Tensor& gradient = slot.value.grad();
    return slot.value.is_cpu() && slot.value.scalar_type() == at::kFloat &&
           slot.value.is_non_overlapping_and_dense() && same_order(slot.exp_avg, slot.value) &&
           same_order(slot.exp_avg_sq, slot.value) &&
           (!gradient.defined() ||
            (gradient.scalar_type() == at::kFloat && same_order(gradient, slot.value)));
  });
}

void AdamW::step_on_cpu(double learning_rate, double count, double scale) {
  const at::NoGradGuard no_grad;
  struct Pointers {
    const float* gradient;
    float *value, *mean, *square;
    double decay;
  };
  std::vector<Pointers> slots;
  std::vector<std::int64_t> sizes;
  for (Slot& slot : slots_) {
    const at::Tensor& gradient = slot.value.grad();
    if (!gradient.defined()) continue;
    sizes.push_back(gradient.numel());
    slots.push_back({gradient.const_data_ptr<float>(), slot.value.mutable_data_ptr<float>(),
                     slot.exp_avg.mutable_data_ptr<float>(), slot.exp_avg_sq.mutable_data_ptr<float>(),
                     slot.value.dim() > 1 ? weight_decay_ : 0.0});
  }
  const double mean_bias = 1 - std::pow(beta1_, count), square_bias = 1 - std::pow(kBeta2, count);
  for_pieces(sizes, [&](std::int64_t, std::size_t t, std::int64_t first, std::int64_t length) {
    const Pointers& slot = slots[t];
    const AdamwStep step{static_cast<float>(scale),
                         static_cast<float>(1 - learning_rate * slot.decay),
                         static_cast<float>(1 - beta1_),
                         static_cast<float>(1 - kBeta2),
                         static_cast<float>(learning_rate / mean_bias),
                         static_cast<float>(1 / std::sqrt(square_bias)),
                         static_cast<float>(kEpsilon)};
    adamw_update(step, length, slot.gradient + first, slot.value + first, slot.mean + first,
                 slot.square + first);
  });
  for (Slot& slot : slots_) {
    if (slot.value.grad().defined()) slot.value.unsafeGetTensorImpl()->bump_version();
  }
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
  if (on_cpu()) return step_on_cpu(learning_rate, static_cast<double>(count), scale);
  each_kind([&](const std::vector<const Slot*>& slots, double decay) {
    Lists of(slots);
    if (scale != 1.0) at::_foreach_mul_(of.gradients, scale);
    const at::Tensor number = at::full({}, static_cast<double>(count), of.values.front().options());
    at::_fused_adamw_(of.values, of.gradients, of.means, of.squares, {}, of.for_all(number), learning_rate,
                      beta1_, kBeta2, decay, kEpsilon, /*amsgrad=*/false, /*maximize=*/false);
  });
}

void AdamW::step(const Update& update) {
  if (on_cpu()) {
    if (update.skip.defined() && update.skip.item<float>() != 0) return;
    return step_on_cpu(update.learning_rate.item<double>(), update.count.item<double>(),
                       update.scale.defined() ? update.scale.item<double>() : 1.0);
  }
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
