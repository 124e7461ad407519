// What every metric asks of its input, with the value got in the error.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace stainfold::metrics {

// A finite float32 or float64 matrix with rows and columns, as contiguous float64 on its own device.
at::Tensor finite_matrix(const at::Tensor& values, const char* name);  // [N,d] -> [N,d] float64

// Int64 labels, none negative, one for each of `rows` rows.
at::Tensor checked_labels(const at::Tensor& labels, const char* name, std::int64_t rows);  // [N]

// Labels renumbered 0, 1, ... in their order, so that gaps cost nothing.
struct Classes {
  at::Tensor index;    // [N] int64, into values
  at::Tensor values;   // [C] int64, ascending
  at::Tensor counts;   // [C] int64, each >= 1
  std::int64_t count;  // C
};
Classes classes_of(const at::Tensor& labels);  // [N] int64

}  // namespace stainfold::metrics
