// doctest, and the few helpers that every native test shares.
#pragma once

#include <ATen/ATen.h>

#include <functional>

#include "cases.h"
#include "stainfold/error.h"

namespace stainfold::testing {

// The code of the stainfold::Error that the call throws; fails the test where it throws none.
inline ErrorCode code_of(const std::function<void()>& call) {
  try {
    call();
  } catch (const Error& error) {
    return error.code();
  }
  FAIL("no stainfold::Error was thrown");
  return ErrorCode::internal;
}

// |out - ref| / |ref| (Frobenius), NaN-proof: NaN on either side gives infinity.
inline double relative_error(const at::Tensor& out, const at::Tensor& ref) {
  if (out.sizes() != ref.sizes()) return std::numeric_limits<double>::infinity();
  const at::Tensor a = out.to(at::kCPU, at::kDouble), b = ref.to(at::kCPU, at::kDouble);
  const double scale = b.norm().item<double>();
  const double error = (a - b).norm().item<double>() / (scale > 0 ? scale : 1.0);
  return std::isnan(error) ? std::numeric_limits<double>::infinity() : error;
}

inline double largest_difference(const at::Tensor& a, const at::Tensor& b) {
  return (a - b).abs().max().item<double>();
}

}  // namespace stainfold::testing
