#include "stain/optical_density.h"

#include <ATen/ATen.h>

#include <cmath>

namespace stainfold {

at::Tensor optical_density(const at::Tensor& grey) {
  const at::ScalarType type = grey.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
  return at::add(grey.to(type), 1).log_().neg_().add_(std::log(kGlass));
}

}  // namespace stainfold
