// The encoder in service: weights prepared once, no gradient, a tile's embedding independent of its batch
// mates.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "stainfold/models.h"

namespace stainfold {

struct EmbedderOptions {
  ModelConfig model;
  std::string device = "auto";
  std::string precision = "auto";  // "fp32", "bf16", "fp16"; auto: bf16 on CUDA where supported, else fp32
};

class Embedder {
 public:
  // weights: what Trainer::state() or a checkpoint holds; names outside "encoder." and "decoder." are
  // ignored. The decoder is optional. An empty list gives seeded random weights (the untrained baseline).
  // Throws ErrorCode::weights for missing or misshapen tensors.
  Embedder(const EmbedderOptions& options, const std::vector<NamedTensor>& weights, std::uint64_t seed = 1);
  ~Embedder();

  at::Tensor embed(const at::Tensor& tiles) const;  // [N,H,W,3] uint8 CPU -> [N,d] float32 CPU
  at::Tensor reconstruct(const at::Tensor& tiles)
      const;  // [N,H,W,3] uint8 CPU -> [N,H,W,3] uint8 CPU; ErrorCode::state without decoder
  bool has_decoder() const;
  std::string device() const;
  std::string precision() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace stainfold
