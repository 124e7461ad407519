// Losses are computed in float32 or float64 whatever the network ran in: under autocast their inputs come as
// bfloat16 or half, whose sums of squares lose everything.
#pragma once

#include <ATen/core/Tensor.h>
#include <c10/core/impl/LocalDispatchKeySet.h>

#include <cmath>
#include <limits>

#include "core/checks.h"

namespace stainfold::ops {

// Keeps autocast from narrowing what happens in its scope.
struct WithoutAutocast {
  c10::impl::ExcludeDispatchKeyGuard guard{c10::autocast_dispatch_keyset};
};

// x in float32, or in float64 if it is that already. Throws ErrorCode::dtype for anything that is not
// floating.
inline at::Tensor widen(const at::Tensor& x, const char* name) {
  check_dtype(x, name, {at::kFloat, at::kDouble, at::kHalf, at::kBFloat16});
  return x.scalar_type() == at::kDouble ? x : x.to(at::kFloat);
}

// Rounding leaves the mean of equal numbers a little off them. A variance below this share of the mean square
// is that noise: the data do not vary.
inline double rounding_variance(at::ScalarType type) {
  const double epsilon = 8 * (type == at::kDouble ? std::numeric_limits<double>::epsilon()
                                                  : std::numeric_limits<float>::epsilon());
  return epsilon * epsilon;
}

}  // namespace stainfold::ops
