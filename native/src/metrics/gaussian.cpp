// Metrics of a cloud's mean and covariance.
#include <ATen/ATen.h>

#include "core/checks.h"
#include "metrics/inputs.h"
#include "stainfold/metrics.h"

namespace stainfold {
namespace {

// R with R^T R = covariance (n-1), without forming the covariance: its square root would turn rounding of
// 1e-16 into eigenvalues of 1e-8 wherever the cloud is flat.
at::Tensor covariance_factor(const at::Tensor& centred) {  // [N,d] -> [min(N,d),d]
  return std::get<1>(at::linalg_qr(centred, "r")) / std::sqrt(static_cast<double>(centred.size(0) - 1));
}

at::Tensor cloud(const at::Tensor& values, const char* name) {
  at::Tensor rows = metrics::finite_matrix(values, name);
  check_option(rows.size(0) >= 2, std::string(name) + " must have at least two rows for a covariance, got 1");
  return rows;
}

}  // namespace

// tr (Sa Sb)^1/2 = tr (Sa^1/2 Sb Sa^1/2)^1/2 is the nuclear norm of Ra Rb^T for any factors Sa = Ra^T Ra, Sb
// = Rb^T Rb.
double frechet_distance(const at::Tensor& a, const at::Tensor& b) {
  const at::Tensor rows_a = cloud(a, "a");
  const at::Tensor rows_b = cloud(b, "b").to(rows_a.device());
  check_shape(rows_b, "b", {-1, rows_a.size(1)});
  const at::Tensor mean_a = rows_a.mean(0), mean_b = rows_b.mean(0);
  const at::Tensor factor_a = covariance_factor(rows_a - mean_a);
  const at::Tensor factor_b = covariance_factor(rows_b - mean_b);
  const at::Tensor cross = at::linalg_svdvals(at::mm(factor_a, factor_b.t())).sum();
  const at::Tensor spread = factor_a.square().sum() + factor_b.square().sum() - 2 * cross;
  // Nothing but rounding makes a squared distance negative.
  return ((mean_a - mean_b).square().sum() + spread.clamp_min(0)).item<double>();
}

at::Tensor principal_components(const at::Tensor& z, std::int64_t components) {
  const at::Tensor rows = metrics::finite_matrix(z, "z");
  const std::int64_t most = std::min(rows.size(0), rows.size(1));
  check_option(components >= 1 && components <= most, "components must be from 1 to " + std::to_string(most) +
                                                          ", got " + std::to_string(components));
  const at::Tensor centred = rows - rows.mean(0);
  const at::Tensor axes = std::get<1>(at::linalg_eigh(at::mm(centred.t(), centred)))
                              .slice(1, rows.size(1) - components)
                              .flip(1);                                   // [d,components], largest first
  const at::Tensor largest = axes.gather(0, axes.abs().argmax(0, true));  // [1,components]
  return at::mm(centred, axes * largest.sign());
}

}  // namespace stainfold
