// What one step computes with, on the device, and where it leaves what it found.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>

#include "stainfold/manifold.h"
#include "train/objective.h"

namespace stainfold {

struct StepInputs {
  Views views;
  Labels labels;
  at::Tensor decoded_view;  // [B] int64
  at::Tensor schedule;      // [3] float64: learning rate, adversary's ramp, number of the update
};

struct StepOutputs {
  at::Tensor numbers;  // [6] float32: four terms, discriminator's accuracy, gradient norm
  at::Tensor z;        // [rows whose rank is told,d] float32

  StepOutputs() = default;
  StepOutputs(const StepInputs& inputs, std::int64_t latent);
};

// Tensors that stay where they are from step to step: work that was recorded once finds its inputs there.
class FixedStep {
 public:
  // The first inputs fix the shapes; those of other shapes are refused: false. Otherwise they are copied.
  bool take(const StepInputs& inputs, std::int64_t latent);

  const StepInputs& inputs() const { return inputs_; }
  const StepOutputs& outputs() const { return outputs_; }

 private:
  StepInputs inputs_;
  StepOutputs outputs_;
};

}  // namespace stainfold
