#include "models/decoder.h"

#include <ATen/ops/conv2d.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/full.h>
#include <ATen/ops/pixel_shuffle.h>
#include <ATen/ops/sigmoid.h>
#include <ATen/ops/upsample_nearest2d.h>

#include <string>

namespace stainfold {
namespace {

// ln(0.65 / 0.35): an untrained decoder paints pale tissue, not grey.
constexpr double kPaleLogit = 0.62;

}  // namespace

Decoder::Decoder(const ModelConfig& config)
    : grid_channels_(architecture(config.size).decoder),
      from_layout_(GridResample::bilinear(kLayout, config.tile_size / 32)) {
  check(config);
  grid_ =
      register_module("grid", std::make_shared<Linear>(config.latent, grid_channels_ * kLayout * kLayout));
  std::int64_t width = grid_channels_;
  for (std::size_t s = 0; s < up_.size(); ++s) {
    const std::int64_t narrower = grid_channels_ * static_cast<std::int64_t>(up_.size() - s) / 6;
    up_[s] = register_module("up" + std::to_string(s + 1), std::make_shared<ConvNorm>(width, narrower, 3, 1));
    width = narrower;
  }
  pixels_weight_ = register_parameter("pixels_weight", at::empty({12, width, 3, 3}));
  pixels_bias_ = register_parameter("pixels_bias", at::full({12}, kPaleLogit));
}

// Four doublings by nearest neighbour and a convolution; the fifth is a sub-pixel convolution (Shi et al.
// 2016), because a convolution at full resolution would cost more than all the others.
at::Tensor Decoder::forward(const at::Tensor& z) {
  at::Tensor x = from_layout_(grid_->forward(z).view({-1, grid_channels_, kLayout, kLayout}));
  x = x.contiguous(at::MemoryFormat::ChannelsLast);
  for (const auto& up : up_) {
    x = up->forward(at::upsample_nearest2d(x, {2 * x.size(2), 2 * x.size(3)}), Activation::relu);
  }
  x = at::conv2d(x, pixels_weight_, pixels_bias_, /*stride=*/1, /*padding=*/1);
  return at::pixel_shuffle(x.to(at::kFloat), 2).sigmoid();
}

}  // namespace stainfold
