#include "models/patch_judge.h"

#include <ATen/ops/conv2d.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/leaky_relu.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <string>

#include "models/instance_conv.h"

namespace stainfold {
namespace {

constexpr double kSlope = 0.2;

}  // namespace

PatchJudge::PatchJudge(std::int64_t width, std::int64_t layers) {
  std::int64_t in = 3;
  const auto add = [&](std::int64_t out) {
    const std::string name = "conv" + std::to_string(kernels_.size() + 1);
    kernels_.push_back(register_parameter(name, at::empty({out, in, 4, 4})));
    in = out;
  };
  for (std::int64_t i = 0; i <= layers; ++i) add(width * std::min<std::int64_t>(8, std::int64_t{1} << i));
  add(1);
  first_bias_ = register_parameter("first_bias", at::zeros({width}));
  last_bias_ = register_parameter("last_bias", at::zeros({1}));
}

at::Tensor PatchJudge::forward(const at::Tensor& x) {
  const std::size_t last = kernels_.size() - 1;
  at::Tensor y = at::leaky_relu(at::conv2d(x, kernels_[0], first_bias_, /*stride=*/2, /*padding=*/1), kSlope);
  for (std::size_t i = 1; i < last; ++i) {
    const std::int64_t stride = i + 1 < last ? 2 : 1;
    y = at::leaky_relu(instance_norm(at::conv2d(y, kernels_[i], {}, stride, /*padding=*/1)), kSlope);
  }
  return at::conv2d(y, kernels_[last], last_bias_, /*stride=*/1, /*padding=*/1).to(at::kFloat);
}

}  // namespace stainfold
