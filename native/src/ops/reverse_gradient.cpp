#include <ATen/core/dispatch/Dispatcher.h>
#include <torch/library.h>

#include <cmath>

#include "core/checks.h"
#include "stainfold/losses.h"

namespace stainfold {

at::Tensor reverse_gradient(const at::Tensor& x, double weight) {
  check_option(std::isfinite(weight), "weight must be finite, got " + std::to_string(weight));
  static const auto op = c10::Dispatcher::singleton()
                             .findSchemaOrThrow("stainfold::reverse_gradient", "")
                             .typed<at::Tensor(const at::Tensor&, double)>();
  return op.call(x, weight);
}

at::Tensor reverse_gradient(const at::Tensor& x, const at::Tensor& weight) {
  check_shape(weight, "weight", {});
  static const auto op = c10::Dispatcher::singleton()
                             .findSchemaOrThrow("stainfold::reverse_gradient", "tensor")
                             .typed<at::Tensor(const at::Tensor&, const at::Tensor&)>();
  return op.call(x, weight);
}

TORCH_LIBRARY_FRAGMENT(stainfold, library) {
  library.def("reverse_gradient(Tensor(a) x, float weight) -> Tensor(a)");
  library.def("reverse_gradient.tensor(Tensor(a) x, Tensor weight) -> Tensor(a)");
}

TORCH_LIBRARY_IMPL(stainfold, CompositeExplicitAutograd, library) {
  library.impl("reverse_gradient", [](const at::Tensor& x, double) { return x.view_as(x); });
  library.impl("reverse_gradient.tensor",
               [](const at::Tensor& x, const at::Tensor&) { return x.view_as(x); });
}

}  // namespace stainfold
