#include "models/encoder.h"

#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/mean.h>

#include <string>

#include "core/parallel.h"
#include "models/simd/pixel_loops.h"

namespace stainfold {
namespace {

constexpr std::int64_t kLayoutChannels = 16;

// (x - mean) / deviation, channels last. From planes on the CPU in one pass: LibTorch's way from planes to
// pixels of three channels is ten times slower than the arithmetic.
at::Tensor centred(const at::Tensor& x) {
  constexpr double kScale = 1.0 / kPixelDeviation;
  const bool learns = x.requires_grad() && at::GradMode::is_enabled();
  if (!x.is_cpu() || x.scalar_type() != at::kFloat || !x.is_contiguous() || x.numel() == 0 || learns) {
    return (x.contiguous(at::MemoryFormat::ChannelsLast) - kPixelMean).mul_(kScale);
  }
  at::Tensor pixels = at::empty(x.sizes(), x.options(), at::MemoryFormat::ChannelsLast);
  const std::int64_t plane = x.size(2) * x.size(3);
  const float* const from = x.const_data_ptr<float>();
  float* const to = pixels.mutable_data_ptr<float>();
  in_parallel(x.size(0), [&](std::int64_t i) {
    interleave_centred(from + 3 * i * plane, plane, plane, static_cast<float>(kPixelMean),
                       static_cast<float>(kScale), to + 3 * i * plane);
  });
  return pixels;
}

}  // namespace

ResidualBlock::ResidualBlock(std::int64_t in, std::int64_t out, std::int64_t stride) {
  conv1_ = register_module("conv1", std::make_shared<ConvNorm>(in, out, 3, stride));
  conv2_ = register_module("conv2", std::make_shared<ConvNorm>(out, out, 3, 1));
  if (in != out || stride != 1)
    skip_ = register_module("skip", std::make_shared<ConvNorm>(in, out, 1, stride));
}

at::Tensor ResidualBlock::forward(const at::Tensor& x) {
  const at::Tensor inner = conv1_->forward(x, Activation::relu);
  return conv2_->forward(inner, Activation::relu, skip_ ? skip_->forward(x, Activation::none) : x);
}

Stage::Stage(std::int64_t in, std::int64_t out, std::int64_t blocks) {
  for (std::int64_t b = 0; b < blocks; ++b) {
    auto block = std::make_shared<ResidualBlock>(b == 0 ? in : out, out, b == 0 ? 2 : 1);
    blocks_.push_back(register_module(std::to_string(b), std::move(block)));
  }
}

at::Tensor Stage::forward(at::Tensor x) {
  for (const auto& block : blocks_) x = block->forward(x);
  return x;
}

Encoder::Encoder(const ModelConfig& config)
    : to_layout_(GridResample::average_pool(config.tile_size / 32, kLayout)) {
  check(config);
  const Architecture& size = architecture(config.size);
  stem_ = register_module("stem", std::make_shared<ConvNorm>(3, size.stem, 3, 2));
  std::int64_t width = size.stem;
  for (std::size_t s = 0; s < stages_.size(); ++s) {
    auto stage = std::make_shared<Stage>(width, size.widths[s], size.blocks[s]);
    stages_[s] = register_module("stage" + std::to_string(s + 1), std::move(stage));
    width = size.widths[s];
  }
  layout_ = register_module("layout", std::make_shared<ConvNorm>(width, kLayoutChannels, 1, 1));
  head_ = register_module(
      "head", std::make_shared<Linear>(width + kLayoutChannels * kLayout * kLayout, config.latent));
}

at::Tensor Encoder::forward(const at::Tensor& x) {
  return embed_features(features(x, static_cast<std::int64_t>(stages_.size())),
                        static_cast<std::int64_t>(stages_.size()));
}

at::Tensor Encoder::features(const at::Tensor& x, std::int64_t stage) {
  at::Tensor features = stem_->forward(centred(x), Activation::relu);
  for (std::int64_t s = 0; s < stage; ++s) features = stages_[static_cast<std::size_t>(s)]->forward(features);
  return features;
}

at::Tensor Encoder::embed_features(at::Tensor features, std::int64_t stage) {
  for (auto s = static_cast<std::size_t>(stage); s < stages_.size(); ++s)
    features = stages_[s]->forward(features);
  const at::Tensor what = features.mean({2, 3});
  const at::Tensor where = to_layout_(layout_->forward(features, Activation::none)).flatten(1);
  return head_->forward(at::cat({what, where}, 1));
}

}  // namespace stainfold
