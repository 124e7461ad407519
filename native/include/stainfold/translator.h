// A trained translator in service: tiles of one site in the appearance of another.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "stainfold/models.h"

namespace stainfold {

enum class Appearance { source, target };

struct TranslatorOptions {
  TranslatorConfig model;
  std::string device = "auto";
  std::string precision = "auto";  // "fp32", "bf16", "fp16"; auto: bf16 on CUDA where supported, else fp32
};

class Translator {
 public:
  // weights: what TranslatorTrainer::state() or a file holds; only "to_source." and "to_target." are read.
  // Throws ErrorCode::weights for missing or misshapen tensors.
  Translator(const TranslatorOptions& options, const std::vector<NamedTensor>& weights);
  ~Translator();

  // A tile's result does not depend on its batch mates. H and W are multiples of 4, 8 at least, and need not
  // be those of training.
  at::Tensor translate(const at::Tensor& tiles,  // [N,H,W,3] uint8, on the CPU
                       Appearance to) const;     // -> [N,H,W,3] uint8, on the CPU
  std::string device() const;
  std::string precision() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace stainfold
