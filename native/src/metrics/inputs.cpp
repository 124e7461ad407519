#include "metrics/inputs.h"

#include <ATen/ATen.h>

#include <string>

#include "core/checks.h"

namespace stainfold::metrics {

at::Tensor finite_matrix(const at::Tensor& values, const char* name) {
  check_dtype(values, name, {at::kFloat, at::kDouble});
  check_shape(values, name, {-1, -1});
  if (values.numel() == 0) {
    throw Error(ErrorCode::shape, std::string(name) + " must not be empty, got " + to_string(values.sizes()));
  }
  const at::Tensor matrix = values.detach().to(at::kDouble).contiguous();
  // One sum instead of N*d flags: it is finite only if every value is (an overflow of the sum alone is told
  // apart).
  if (!at::isfinite(matrix.sum()).item<bool>() && !at::isfinite(matrix).all().item<bool>()) {
    throw Error(ErrorCode::non_finite, std::string(name) + " holds NaN or infinity");
  }
  return matrix;
}

at::Tensor checked_labels(const at::Tensor& labels, const char* name, std::int64_t rows) {
  check_dtype(labels, name, {at::kLong});
  check_shape(labels, name, {rows});
  if (rows == 0) throw Error(ErrorCode::shape, std::string(name) + " must not be empty");
  const auto lowest = labels.min().item<std::int64_t>();
  check_option(lowest >= 0, std::string(name) + " must not be negative, got " + std::to_string(lowest));
  return labels.contiguous();
}

Classes classes_of(const at::Tensor& labels) {
  auto [values, index, counts] =
      at::_unique2(labels, /*sorted=*/true, /*return_inverse=*/true, /*return_counts=*/true);
  const std::int64_t count = values.size(0);
  return {std::move(index), std::move(values), std::move(counts), count};
}

}  // namespace stainfold::metrics
