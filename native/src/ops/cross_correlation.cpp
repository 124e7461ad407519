#include <ATen/ops/mm.h>

#include <cmath>

#include "core/checks.h"
#include "ops/precision.h"
#include "stainfold/losses.h"

namespace stainfold {
namespace {

// Columns to mean 0 and population variance 1. A column that does not vary becomes 0, with gradient 0.
at::Tensor standardise(const at::Tensor& x) {  // [N,d]
  const at::Tensor centred = x - x.mean(0, true);
  const at::Tensor variance = centred.square().mean(0, true);
  const at::Tensor still =
      variance <= x.detach().square().mean(0, true) * ops::rounding_variance(x.scalar_type());
  return (centred * variance.masked_fill(still, 1).rsqrt()).masked_fill(still, 0);
}

}  // namespace

at::Tensor cross_correlation_loss(const at::Tensor& a, const at::Tensor& b, double lambda) {
  check_shape(a, "a", {-1, -1});
  check_shape(b, "b", {a.size(0), a.size(1)});
  if (a.numel() == 0) throw Error(ErrorCode::shape, "a must not be empty, got " + to_string(a.sizes()));
  check_option(std::isfinite(lambda) && lambda >= 0,
               "lambda must be a finite number >= 0, got " + std::to_string(lambda));
  const ops::WithoutAutocast scope;
  const at::Tensor left = standardise(ops::widen(a, "a"));
  const at::Tensor right = standardise(ops::widen(b, "b"));
  const at::Tensor correlation = at::mm(left.t(), right) / static_cast<double>(a.size(0));
  const at::Tensor diagonal = correlation.diagonal();
  const at::Tensor off_diagonal = correlation - correlation.diagonal().diag_embed();
  return (diagonal - 1).square().sum() + lambda * off_diagonal.square().sum();
}

}  // namespace stainfold
