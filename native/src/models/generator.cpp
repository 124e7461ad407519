#include "models/generator.h"

#include <ATen/ops/conv2d.h>
#include <ATen/ops/conv_transpose2d.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>

#include <string>

#include "models/instance_conv.h"

namespace stainfold {
namespace {

at::Tensor normed(const at::Tensor& x) { return instance_norm(x).relu_(); }

// Twice the extent: the transpose of a strided 3x3 convolution.
at::Tensor doubled(const at::Tensor& x, const at::Tensor& weight) {
  return at::conv_transpose2d(x, weight, {}, /*stride=*/2, /*padding=*/1, /*output_padding=*/1);
}

}  // namespace

Generator::Generator(std::int64_t width, std::int64_t blocks) {
  const std::int64_t wide = 4 * width;
  stem_ = register_parameter("stem", at::empty({width, 3, 7, 7}));
  down1_ = register_parameter("down1", at::empty({2 * width, width, 3, 3}));
  down2_ = register_parameter("down2", at::empty({wide, 2 * width, 3, 3}));
  for (std::int64_t i = 0; i < blocks; ++i) {
    for (const char* half : {"a", "b"}) {
      blocks_.push_back(
          register_parameter("block" + std::to_string(i + 1) + half, at::empty({wide, wide, 3, 3})));
    }
  }
  up1_ = register_parameter("up1", at::empty({wide, 2 * width, 3, 3}));
  up2_ = register_parameter("up2", at::empty({2 * width, width, 3, 3}));
  pixels_ = register_parameter("pixels", at::empty({3, width, 7, 7}));
  pixels_bias_ = register_parameter("pixels_bias", at::zeros({3}));
}

at::Tensor Generator::forward(const at::Tensor& x) {
  at::Tensor y = normed(at::conv2d(reflect_pad(x, 3), stem_));
  y = normed(at::conv2d(y, down1_, {}, /*stride=*/2, /*padding=*/1));
  y = normed(at::conv2d(y, down2_, {}, /*stride=*/2, /*padding=*/1));
  for (std::size_t i = 0; i < blocks_.size(); i += 2) {
    const at::Tensor inner = normed(at::conv2d(reflect_pad(y, 1), blocks_[i]));
    y = y + instance_norm(at::conv2d(reflect_pad(inner, 1), blocks_[i + 1]));
  }
  y = normed(doubled(y, up1_));
  y = normed(doubled(y, up2_));
  return at::conv2d(reflect_pad(y, 3), pixels_, pixels_bias_).to(at::kFloat).tanh();
}

}  // namespace stainfold
