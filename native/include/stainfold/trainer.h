// One training run. Not thread-safe: one thread at a time calls it (the addon gives each trainer its own).
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "stainfold/manifold.h"
#include "stainfold/models.h"

namespace stainfold {

enum class CompactionKind { contrastive, cross_correlation };

// A term of weight 0 is measured but does not act; reconstruction, which costs, is then reported as 0.
struct LossWeights {
  double compaction = 1.0;
  double scatter = 0.1;
  double reconstruction = 1.0;
  double adversarial = 0.3;
};

struct TrainOptions {
  ModelConfig model;
  ManifoldOptions manifold;
  // Of further stains; a batch then says which tile has which, `manifold` being stain 0.
  std::vector<ManifoldOptions> further_stains = {};
  LossWeights weights;
  CompactionKind compaction = CompactionKind::contrastive;
  double temperature = 0.07;
  double lambda = 0.005;   // of the cross-correlation's off-diagonal
  std::int64_t views = 2;  // K >= 2
  bool view_turn = true;   // each view flipped and rotated by 90 degrees on its own
  double view_crop =
      1.0;  // least side of the part of a tile that a view shows, a share in (0,1]; each its own
  // Number of real labels (slide, scanner, site) that batches bring, 0 for none: the adversary then reads
  // virtual and real labs with a head each, and its term is the mean of both.
  std::int64_t real_labs = 0;
  std::int64_t total_steps = 1000;  // the schedule's length
  std::int64_t warmup_steps = 50;
  double learning_rate = 1e-3;  // peak
  double weight_decay = 0.05;
  double clip_norm = 1.0;  // gradient norm is clipped to this; 0 switches it off
  std::uint64_t seed = 1;
  std::string device = "auto";
  // "fp32" or "bf16"; auto: bf16 on CUDA where supported, else fp32. "fp16" is for inference only.
  std::string precision = "auto";
  // On CUDA: whether the steps of one shape of batch are recorded as a graph after the first few, and
  // repeated.
  bool graph = true;
};

struct StepBatch {
  at::Tensor tiles;                    // [B,H,W,3] uint8, on the CPU; B >= 2
  std::optional<at::Tensor> real_lab;  // [B] int64 in [0, real_labs), iff real_labs > 0
  std::optional<at::Tensor> group;     // [B] int64, for the contrastive compaction_loss
  std::optional<at::Tensor> stain;     // [B] int64 in [0, stains), iff there are further ones
};

struct StepReport {
  std::int64_t step;  // steps done, this one included
  double learning_rate;
  double loss, compaction, scatter, reconstruction, adversarial;  // the terms before weighting
  double discriminator_accuracy;                                  // on the virtual labs
  double discriminator_chance;                                    // 1 / labs of a tile's stain, mean
  double gradient_norm;                                           // before clipping
  double rank;         // effective rank of z: exp of the entropy of its normalised singular values (256 rows)
  std::int64_t tiles;  // rows in this batch
};

// When a step began, had its tiles on the device, its views, its terms, its gradients, and was done:
// milliseconds of the monotonic clock.
using StepStamps = std::array<double, 6>;

class Trainer {
 public:
  explicit Trainer(const TrainOptions& options);
  ~Trainer();

  // One optimiser step on one batch. Throws ErrorCode::non_finite, leaving parameters and optimiser as they
  // were before the step.
  StepReport step(
      const at::Tensor& tiles,                         // [B,H,W,3] uint8, on the CPU; B >= 2
      const std::optional<at::Tensor>& real_lab = {},  // [B] int64 in [0, real_labs), iff real_labs > 0
      const std::optional<at::Tensor>& group = {},     // [B] int64, for the contrastive compaction_loss
      const std::optional<at::Tensor>& stain = {},     // [B] int64 in [0, stains), iff there are further ones
      StepStamps* stamps = nullptr);  // filled where given; the step then waits for the device at each stage

  // The same in two halves, for a device that computes while the host goes on: begin() uploads and renders a
  // batch beside the step that is computed, and queues its own; collect() waits for the earliest under way
  // and reports it. The tiles are not read after begin(). A step that is not finite is thrown by collect(),
  // and it and those begun after it have never been. On the CPU begin() does all the work.
  void begin(const StepBatch& batch);
  StepReport collect();
  std::int64_t under_way() const;
  static constexpr std::int64_t kMostUnderWay = 2;
  bool runs_ahead() const;  // whether begin() returns before the work is done
  bool recorded() const;    // whether steps repeat a recorded graph by now

  // All that a bit-exact continuation needs, in a fixed order: weights ("encoder.", "decoder.",
  // "discriminator."), optimiser moments ("optimiser.<parameter>.exp_avg", ...), and "trainer.step" int64
  // [1]. Tensors are live views on the device, in its order of memory. No step may be under way.
  std::vector<NamedTensor> state() const;
  // Copies values in; names, shapes and dtypes must be those of state(). Throws ErrorCode::weights.
  void load_state(const std::vector<NamedTensor>& state);

  std::int64_t steps_done() const;
  const TrainOptions& options() const;
  std::string device() const;     // resolved, "cpu" or "cuda:0"
  std::string precision() const;  // resolved

 private:
  void check_none_under_way() const;

  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace stainfold
