// Limited-memory BFGS for smooth convex functions, deterministic.
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>

namespace stainfold::metrics {

struct Evaluated {
  double value;
  at::Tensor gradient;  // of the shape of the point
};

// Minimises until every component of the gradient is within `tolerance` or no step lowers the value any more
// in float64. Throws ErrorCode::internal past `iterations`: an unconverged minimum would silently be a wrong
// result.
at::Tensor lbfgs(const std::function<Evaluated(const at::Tensor& point)>& function, at::Tensor start,
                 double tolerance, int iterations);

}  // namespace stainfold::metrics
