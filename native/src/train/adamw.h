// AdamW (Loshchilov & Hutter 2019) over named parameters: on the CPU in one pass over memory, elsewhere with
// LibTorch's fused kernels.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "stainfold/models.h"

namespace stainfold {

class AdamW {
 public:
  // Decay applies to matrices and kernels; norms and biases, the parameters of one dimension, go without.
  AdamW(std::vector<NamedTensor> parameters, double weight_decay, double beta1 = 0.9);

  // Forgets the gradients of the last step.
  void clear_gradients();

  // sqrt of the sum of squares of all gradients, a scalar on the device.
  at::Tensor gradient_norm() const;

  // The update number `count`, 1 first; gradients are taken times `scale`. A parameter without a gradient
  // stays as it is.
  void step(double learning_rate, std::int64_t count, double scale);

  // The same by numbers that are read where they lie, scalars on the parameters' device: nothing waits for
  // the host.
  struct Update {
    at::Tensor learning_rate;  // float64
    at::Tensor count;          // float64
    at::Tensor scale;          // float32; undefined: 1
    at::Tensor skip;           // float32; 1: nothing moves, 0: all does
  };
  void step(const Update& update);

  // "optimiser.<parameter>.exp_avg" and "...exp_avg_sq", in the order of the parameters.
  void append_state(std::vector<NamedTensor>& list) const;

 private:
  struct Slot {
    std::string name;
    at::Tensor value, exp_avg, exp_avg_sq;  // of one shape
  };
  // use(slots, decay) for the parameters that decay, and for those that do not.
  template <typename Use>
  void each_kind(Use use) const;
  bool on_cpu() const;  // float32, one order of memory for a parameter, its gradient and its moments
  void step_on_cpu(double learning_rate, double count, double scale);

  std::vector<Slot> slots_;
  double weight_decay_, beta1_;
};

}  // namespace stainfold
