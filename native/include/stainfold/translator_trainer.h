// CycleGAN and StainGAN: two generators that repaint the tiles of one site in the appearance of another,
// trained without pairs. Not thread-safe: one thread at a time calls it (the addon gives each trainer its
// own).
//
// It needs images of the sites that it is to normalise: unlike an encoder trained on one site, it has seen
// them.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "stainfold/models.h"

namespace stainfold {

struct TranslatorTrainOptions {
  TranslatorConfig model;
  double cycle = 10.0;     // weight of the cycle terms
  double identity = 0.5;   // of the identity terms, times `cycle`; 0 leaves them out
  std::int64_t pool = 50;  // painted tiles that each judge remembers
  bool geometry = true;    // the eight symmetries of a square, drawn for each tile
  std::int64_t total_steps = 1000;
  std::int64_t constant_steps = 500;  // then the learning rate falls linearly to 0
  double learning_rate = 2e-4;
  std::uint64_t seed = 1;
  std::string device = "auto";
  std::string precision = "auto";  // "fp32" or "bf16"; auto: bf16 on CUDA where supported, else fp32
};

struct TranslatorReport {
  std::int64_t step;  // steps done, this one included
  double learning_rate;
  double loss;  // of the generators: adversarial + cycle * (cycle + identity * identity)
  double adversarial, cycle, identity;  // before weighting, the sums of both directions
  double judge;                         // of the judges, the mean of both; 0.25 is a judge that cannot tell
  double gradient_norm;                 // of the generators
  double judge_gradient_norm;
  std::int64_t tiles;  // rows in this step, source and target
};

class TranslatorTrainer {
 public:
  explicit TranslatorTrainer(const TranslatorTrainOptions& options);
  ~TranslatorTrainer();

  // One step of the generators and one of the judges. Throws ErrorCode::non_finite, leaving parameters,
  // optimisers and pools as they were before the step.
  TranslatorReport step(const at::Tensor& source,   // [S,T,T,3] uint8, on the CPU; S >= 1
                        const at::Tensor& target);  // [R,T,T,3] uint8, on the CPU; R >= 1, need not be S

  // All that a bit-exact continuation needs, in a fixed order: weights ("to_source.", "to_target.",
  // "source_judge.", "target_judge."), optimiser moments ("optimiser.<parameter>.exp_avg", ...), the pools
  // ("source_pool.images", ...) and "trainer.step" int64 [1]. Tensors are live views on the device.
  std::vector<NamedTensor> state() const;
  // Copies values in; names, shapes and dtypes must be those of state(). Throws ErrorCode::weights.
  void load_state(const std::vector<NamedTensor>& state);

  std::int64_t steps_done() const;
  std::string device() const;     // resolved, "cpu" or "cuda:0"
  std::string precision() const;  // resolved

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace stainfold
