// The encoder: a small residual network and a head that keeps where things are.
#pragma once

#include <array>
#include <memory>
#include <vector>

#include "models/conv_norm.h"
#include "models/grid.h"
#include "models/linear.h"
#include "stainfold/models.h"

namespace stainfold {

// Tissue in [0,1] has a mean of about 0.6 and a deviation of about 0.25. One pair for all channels: the
// stem's norm sees to the rest, and scalars cost no transfer.
constexpr double kPixelMean = 0.6;
constexpr double kPixelDeviation = 0.25;

// Two 3x3 convolutions around an identity (He et al. 2016); the first may stride, and then the identity is
// a strided 1x1 convolution.
class ResidualBlock : public torch::nn::Module {
 public:
  ResidualBlock(std::int64_t in, std::int64_t out, std::int64_t stride);
  at::Tensor forward(const at::Tensor& x);  // [N,in,H,W] -> [N,out,H/stride,W/stride]

 private:
  std::shared_ptr<ConvNorm> conv1_, conv2_;
  std::shared_ptr<ConvNorm> skip_;  // null where the identity fits
};

// Residual blocks of one width; the first halves the extent.
class Stage : public torch::nn::Module {
 public:
  Stage(std::int64_t in, std::int64_t out, std::int64_t blocks);
  at::Tensor forward(at::Tensor x);  // [N,in,H,W] -> [N,out,H/2,W/2]

 private:
  std::vector<std::shared_ptr<ResidualBlock>> blocks_;
};

// Weights are uninitialised until initialise() or a load fills them.
class Encoder : public torch::nn::Module {
 public:
  explicit Encoder(const ModelConfig& config);
  at::Tensor forward(const at::Tensor& x);  // [N,3,tile,tile] in [0,1] -> z [N,latent]

  // The two halves of forward(), cut after a stage, 1 to 4: its activations, and what becomes of them.
  at::Tensor features(const at::Tensor& x, std::int64_t stage);
  at::Tensor embed_features(at::Tensor features, std::int64_t stage);

 private:
  std::shared_ptr<ConvNorm> stem_;
  std::array<std::shared_ptr<Stage>, 4> stages_;
  std::shared_ptr<ConvNorm> layout_;  // 1x1, to few channels
  std::shared_ptr<Linear> head_;
  GridResample to_layout_;
};

}  // namespace stainfold
