// The decoder: from the latent back to the tile as its source lab stained it.
#pragma once

#include <array>
#include <memory>

#include "models/conv_norm.h"
#include "models/grid.h"
#include "models/linear.h"
#include "stainfold/models.h"

namespace stainfold {

// Weights are uninitialised until initialise() or a load fills them.
class Decoder : public torch::nn::Module {
 public:
  explicit Decoder(const ModelConfig& config);
  at::Tensor forward(const at::Tensor& z);  // [N,latent] -> [N,3,tile,tile] float32 in [0,1]

 private:
  std::int64_t grid_channels_;
  std::shared_ptr<Linear> grid_;
  GridResample from_layout_;
  std::array<std::shared_ptr<ConvNorm>, 4> up_;
  at::Tensor pixels_weight_;  // [12,channels,3,3]: a 2x2 block of RGB pixels a position
  at::Tensor pixels_bias_;    // [12]
};

}  // namespace stainfold
