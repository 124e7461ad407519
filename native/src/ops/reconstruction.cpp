#include <ATen/ops/sqrt.h>

#include "core/checks.h"
#include "ops/precision.h"
#include "stainfold/losses.h"

namespace stainfold {
namespace {

// Half a grey level of 8 bits, about: quadratic below it, linear above.
constexpr double softness = 1e-3;

// mean(sqrt(x^2 + softness^2) - softness), in a form that loses no digits near 0. 0 for an empty tensor: an
// image of one column has no horizontal differences.
at::Tensor charbonnier(const at::Tensor& x) {
  if (x.numel() == 0) return x.sum();
  const at::Tensor square = x.square();
  return (square / (at::sqrt(square + softness * softness) + softness)).mean();
}

}  // namespace

at::Tensor reconstruction_loss(const at::Tensor& output, const at::Tensor& target) {
  check_shape(output, "output", {-1, 3, -1, -1});
  check_shape(target, "target", {output.size(0), 3, output.size(2), output.size(3)});
  if (output.numel() == 0) {
    throw Error(ErrorCode::shape, "output must not be empty, got " + to_string(output.sizes()));
  }
  const ops::WithoutAutocast scope;
  // Differences are linear: those of the images and those of their difference are the same.
  const at::Tensor error = ops::widen(output, "output") - ops::widen(target, "target");
  const std::int64_t height = error.size(2), width = error.size(3);
  return charbonnier(error) + charbonnier(error.narrow(2, 1, height - 1) - error.narrow(2, 0, height - 1)) +
         charbonnier(error.narrow(3, 1, width - 1) - error.narrow(3, 0, width - 1));
}

}  // namespace stainfold
