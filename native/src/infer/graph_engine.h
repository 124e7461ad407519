// The encoder on a CUDA device: a captured graph for each size of batch, and copies beside the arithmetic.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>

#include "models/encoder.h"
#include "stainfold/models.h"

namespace stainfold {

class GraphEngine {
 public:
  // encoder: prepared for inference, on the device, in the precision that it computes in.
  GraphEngine(std::shared_ptr<Encoder> encoder, const ModelConfig& model, at::Device device,
              at::ScalarType precision);
  ~GraphEngine();

  // Calls from several threads take turns. Tiles beyond the largest batch go in several, two of them under
  // way at a time: while one is computed the next is copied.
  at::Tensor embed(const at::Tensor& tiles);  // [N,S,S,3] uint8 CPU -> [N,d] float32 CPU

  // Seconds of one of `calls` in a row, of tiles that are on the device: at most largest_batch().
  double seconds_resident(const at::Tensor& tiles, std::int64_t calls);

  std::int64_t largest_batch() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// The size that a batch of `count` is padded to: the least power of two that holds it, `largest` at most.
std::int64_t batch_bucket(std::int64_t count, std::int64_t largest);

// The largest batch whose activations take a quarter of the free memory and whose pixels 64 MiB; a power of
// two in [1, 256].
std::int64_t largest_batch(const ModelConfig& model, std::int64_t element_bytes, std::int64_t free_bytes);

}  // namespace stainfold
