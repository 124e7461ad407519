#include "models/instance_conv.h"

#include <ATen/ops/cat.h>
#include <ATen/ops/instance_norm.h>
#include <ATen/ops/reflection_pad2d.h>

namespace stainfold {
namespace {

constexpr double kInstanceEpsilon = 1e-5;

at::Tensor reflect_along(const at::Tensor& x, std::int64_t dimension, std::int64_t padding) {
  const at::Tensor before = x.narrow(dimension, 1, padding).flip(dimension);
  const at::Tensor after = x.narrow(dimension, x.size(dimension) - 1 - padding, padding).flip(dimension);
  return at::cat({before, x, after}, dimension);
}

}  // namespace

at::Tensor reflect_pad_by_copies(const at::Tensor& x, std::int64_t padding) {
  return reflect_along(reflect_along(x, 3, padding), 2, padding);
}

at::Tensor reflect_pad(const at::Tensor& x, std::int64_t padding) {
  if (x.is_cuda()) return reflect_pad_by_copies(x, padding);
  return at::reflection_pad2d(x, {padding, padding, padding, padding});
}

at::Tensor instance_norm(const at::Tensor& x) {
  return at::instance_norm(x, {}, {}, {}, {}, /*use_input_stats=*/true, /*momentum=*/0.0, kInstanceEpsilon,
                           /*cudnn_enabled=*/true);
}

}  // namespace stainfold
