#include "models/grid.h"

#include <ATen/ops/matmul.h>
#include <ATen/ops/zeros.h>
#include <c10/core/InferenceMode.h>

#include <algorithm>
#include <cmath>

namespace stainfold {

GridResample GridResample::average_pool(std::int64_t from, std::int64_t to) {
  at::Tensor matrix = at::zeros({to, from});
  auto entry = matrix.accessor<float, 2>();
  for (std::int64_t i = 0; i < to; ++i) {
    const std::int64_t begin = i * from / to, end = ((i + 1) * from + to - 1) / to;
    for (std::int64_t j = begin; j < end; ++j) entry[i][j] = 1.0f / static_cast<float>(end - begin);
  }
  return GridResample(matrix);
}

GridResample GridResample::bilinear(std::int64_t from, std::int64_t to) {
  at::Tensor matrix = at::zeros({to, from});
  auto entry = matrix.accessor<float, 2>();
  for (std::int64_t i = 0; i < to; ++i) {
    const double centre = (i + 0.5) * static_cast<double>(from) / static_cast<double>(to) - 0.5;
    const double position = std::clamp(centre, 0.0, static_cast<double>(from - 1));
    const auto low = static_cast<std::int64_t>(std::floor(position));
    const auto share = static_cast<float>(position - static_cast<double>(low));
    entry[i][low] += 1.0f - share;
    entry[i][std::min(low + 1, from - 1)] += share;
  }
  return GridResample(matrix);
}

at::Tensor GridResample::operator()(const at::Tensor& x) {
  if (matrix_.size(0) == matrix_.size(1)) return x;  // both kinds are the identity then
  if (matrix_.device() != x.device() || matrix_.scalar_type() != x.scalar_type()) {
    // What is kept must serve later calls that have gradients, too.
    const c10::InferenceMode normal(false);
    matrix_ = matrix_.to(x.options());
  }
  return at::matmul(at::matmul(matrix_, x), matrix_.t());
}

}  // namespace stainfold
