#include "models/linear.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/zeros.h>

namespace stainfold {

Linear::Linear(std::int64_t in, std::int64_t out) {
  weight_ = register_parameter("weight", at::empty({out, in}));
  bias_ = register_parameter("bias", at::zeros({out}));
}

at::Tensor Linear::forward(const at::Tensor& x) { return at::linear(x, weight_, bias_); }

}  // namespace stainfold
