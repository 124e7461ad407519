// Inputs as tensors, and the rule that every target keeps: a result, or one of our errors.
#pragma once

#include <ATen/ATen.h>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "fuzz/native/input.h"
#include "stainfold/error.h"

namespace fuzz {

// A copy in memory of its exact size, so that a step beyond it is seen.
inline at::Tensor bytes_tensor(Input& input, at::IntArrayRef shape) {
  const at::Tensor tensor = at::empty(shape, at::kByte);
  const std::vector<std::uint8_t> bytes = input.bytes(static_cast<std::size_t>(tensor.numel()));
  std::copy(bytes.begin(), bytes.end(), tensor.mutable_data_ptr<std::uint8_t>());
  return tensor;
}

inline at::Tensor numbers(Input& input, at::IntArrayRef shape) {
  const at::Tensor tensor = at::empty(shape, at::kDouble);
  double* const to = tensor.mutable_data_ptr<double>();
  for (std::int64_t i = 0; i < tensor.numel(); ++i) to[i] = input.number();
  return tensor;
}

inline void hold(bool condition, const char* what) {
  if (condition) return;
  std::fprintf(stderr, "broken: %s\n", what);
  std::abort();
}

// Runs `work`; what it may throw is an Error of any code but internal.
template <typename Work>
void checked(Work work) {
  try {
    work();
  } catch (const stainfold::Error& error) {
    hold(error.code() != stainfold::ErrorCode::internal, error.what());
  } catch (const std::exception& error) {
    hold(false, error.what());
  }
}

}  // namespace fuzz
