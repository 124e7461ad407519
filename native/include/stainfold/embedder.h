// The encoder in service: weights prepared once, no gradient, a tile's embedding independent of its batch
// mates.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "stainfold/attribution.h"
#include "stainfold/manifold.h"
#include "stainfold/models.h"

namespace stainfold {

struct EmbedderOptions {
  ModelConfig model;
  std::string device = "auto";
  std::string precision = "auto";  // "fp32", "bf16", "fp16"; auto: bf16 on CUDA where supported, else fp32
};

class Embedder {
 public:
  // weights: what Trainer::state() or a checkpoint holds; names outside "encoder.", "decoder." and "ood." are
  // ignored. Only the encoder is required. An empty list gives seeded random weights (the untrained
  // baseline). Throws ErrorCode::weights for missing or misshapen tensors.
  Embedder(const EmbedderOptions& options, const std::vector<NamedTensor>& weights, std::uint64_t seed = 1);
  ~Embedder();

  at::Tensor embed(const at::Tensor& tiles) const;  // [N,H,W,3] uint8 CPU -> [N,d] float32 CPU
  // Of one of `calls` in a row over tiles that lie in the device's memory already: what is left without copies
  // from and to the host. For benchmarks. ErrorCode::shape for more tiles than the device takes at a time.
  double seconds_resident(const at::Tensor& tiles, std::int64_t calls) const;
  at::Tensor reconstruct(const at::Tensor& tiles)
      const;  // [N,H,W,3] uint8 CPU -> [N,H,W,3] uint8 CPU; ErrorCode::state without decoder

  // What fit_outliers() takes: of each tile, and of `views` renderings of it by the manifold. Rows are
  // view-major, the tiles as they came first. ErrorCode::state without decoder.
  at::Tensor outlier_features(const at::Tensor& tiles,  // [N,H,W,3] uint8 CPU
                              const Manifold& manifold, std::int64_t views,
                              std::uint64_t step) const;  // -> [(1+views)*N,d+22] float32 CPU
  // What score_outliers() gives. ErrorCode::state where the weights hold no "ood." statistics.
  at::Tensor score(const at::Tensor& tiles,          // [N,H,W,3] uint8 CPU
                   const at::Tensor& z = {}) const;  // [N,d] float32 CPU, if known -> [N,8] float64 CPU

  // In float32 whatever the precision. Tiles [N,H,W,3] uint8 CPU; results on the CPU.
  Attribution integrated_gradients(const at::Tensor& tiles, const AttributionOptions& options) const;
  Attribution gradient_cam(const at::Tensor& tiles, const AttributionOptions& options) const;
  Sensitivity sensitivity(const at::Tensor& tiles) const;

  std::int64_t bytes() const;  // of all weights, as they are kept
  bool has_decoder() const;
  bool has_outliers() const;
  std::string device() const;
  std::string precision() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace stainfold
