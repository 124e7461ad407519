#include "ops/reconstruction.h"

#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/ops/sqrt.h>
#include <torch/library.h>

#include "core/checks.h"
#include "ops/charbonnier.h"
#include "ops/precision.h"
#include "stainfold/losses.h"

namespace stainfold {
namespace ops {

std::tuple<at::Tensor, at::Tensor> reconstruction_forward(const at::Tensor& output,
                                                          const at::Tensor& target) {
  static const auto op = c10::Dispatcher::singleton()
                             .findSchemaOrThrow("stainfold::reconstruction_forward", "")
                             .typed<decltype(reconstruction_forward)>();
  return op.call(output, target);
}

}  // namespace ops

namespace {

// mean(sqrt(x^2 + softness^2) - softness), in a form that loses no digits near 0. 0 for an empty tensor: an
// image of one column has no horizontal differences.
at::Tensor charbonnier(const at::Tensor& x) {
  if (x.numel() == 0) return x.sum();
  const at::Tensor square = x.square();
  return (square / (at::sqrt(square + ops::kSoftness * ops::kSoftness) + ops::kSoftness)).mean();
}

}  // namespace

at::Tensor reconstruction_loss(const at::Tensor& output, const at::Tensor& target) {
  check_shape(output, "output", {-1, 3, -1, -1});
  check_shape(target, "target", {output.size(0), 3, output.size(2), output.size(3)});
  if (output.numel() == 0) {
    throw Error(ErrorCode::shape, "output must not be empty, got " + to_string(output.sizes()));
  }
  const ops::WithoutAutocast scope;
  const at::Tensor wide_output = ops::widen(output, "output"), wide_target = ops::widen(target, "target");
  if (wide_output.is_cpu() && wide_target.is_cpu() &&
      wide_output.scalar_type() == wide_target.scalar_type()) {
    return std::get<0>(ops::reconstruction_forward(wide_output, wide_target));
  }
  // Differences are linear: those of the images and those of their difference are the same.
  const at::Tensor error = wide_output - wide_target;
  const std::int64_t height = error.size(2), width = error.size(3);
  return charbonnier(error) + charbonnier(error.narrow(2, 1, height - 1) - error.narrow(2, 0, height - 1)) +
         charbonnier(error.narrow(3, 1, width - 1) - error.narrow(3, 0, width - 1));
}

TORCH_LIBRARY_FRAGMENT(stainfold, library) {
  library.def("reconstruction_forward(Tensor output, Tensor target) -> (Tensor loss, Tensor gradient)");
}

}  // namespace stainfold
