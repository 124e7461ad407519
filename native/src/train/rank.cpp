#include "train/rank.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/linalg_eigvalsh.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/xlogy.h>

#include <algorithm>
#include <cmath>

namespace stainfold {

double effective_rank(const at::Tensor& z) {
  const at::NoGradGuard no_grad;
  const at::Tensor rows = z.narrow(0, 0, std::min(z.size(0), kRankedRows)).to(at::kCPU).to(at::kDouble);
  // Singular values are the square roots of the eigenvalues of the smaller Gram matrix.
  const bool wide = rows.size(0) < rows.size(1);
  const at::Tensor gram = wide ? at::matmul(rows, rows.t()) : at::matmul(rows.t(), rows);
  const at::Tensor singular = at::linalg_eigvalsh(gram).clamp_min(0.0).sqrt();
  const double sum = singular.sum().item<double>();
  if (sum <= 0.0) return 0.0;
  const at::Tensor share = singular / sum;
  return std::exp(-at::xlogy(share, share).sum().item<double>());
}

}  // namespace stainfold
