#include <ATen/ATen.h>

#include <cmath>

#include "core/checks.h"
#include "metrics/inputs.h"
#include "metrics/lbfgs.h"
#include "stainfold/metrics.h"

namespace stainfold {
namespace {

// Of the mean objective's gradient. The objective is as curved as penalty / N or more, so at N = 1000 and
// penalty 1 no weight is further than about 1e-6 from the minimum.
constexpr double gradient_tolerance = 1e-9;
constexpr int most_iterations = 20000;

// Columns to mean 0 and population deviation 1 of the training rows; a constant column keeps its scale.
struct Standardiser {
  explicit Standardiser(const at::Tensor& train) : mean(train.mean(0)) {
    deviation = train.std(0, /*unbiased=*/false);
    // A constant column's deviation is rounding of its mean, not a scale to blow up by.
    const at::Tensor constant = deviation <= 1e-14 * train.abs().amax(0);
    deviation.masked_fill_(constant, 1.0);
  }
  at::Tensor operator()(const at::Tensor& rows) const { return (rows - mean) / deviation; }
  at::Tensor mean, deviation;  // [d]
};

}  // namespace

at::Tensor linear_probe(const at::Tensor& train, const at::Tensor& train_labels, const at::Tensor& test,
                        double penalty) {
  const at::Tensor train_rows = metrics::finite_matrix(train, "train");
  const at::Tensor test_rows = metrics::finite_matrix(test, "test").to(train_rows.device());
  const std::int64_t n = train_rows.size(0), d = train_rows.size(1);
  check_shape(test_rows, "test", {-1, d});
  const metrics::Classes classes =
      metrics::classes_of(metrics::checked_labels(train_labels, "train_labels", n).to(train_rows.device()));
  check_option(classes.count >= 2,
               "linear probe needs at least two labels, got " + std::to_string(classes.count));
  check_option(std::isfinite(penalty) && penalty > 0,
               "penalty must be positive and finite, got " + std::to_string(penalty));

  const Standardiser standardise(train_rows);
  const at::Tensor x = standardise(train_rows);
  const at::Tensor target = classes.index.unsqueeze(1);  // [N,1]
  // "Balanced": every class weighs the same, all rows together 1.
  const at::Tensor weight = (classes.counts.to(at::kDouble) * static_cast<double>(classes.count))
                                .reciprocal()
                                .index_select(0, classes.index);
  // Two classes: scikit-learn penalises the one vector w of the binary model; ours are w/2 and -w/2, with
  // half its squared length.
  const double ridge = penalty * (classes.count == 2 ? 2.0 : 1.0) / static_cast<double>(n);

  // theta [d+1,C]: weights, and below them the unpenalised intercepts.
  const auto objective = [&](const at::Tensor& theta) -> metrics::Evaluated {
    const at::Tensor weights = theta.slice(0, 0, d);
    const at::Tensor log_p = at::log_softmax(at::addmm(theta.select(0, d), x, weights), 1);
    const double value = -(log_p.gather(1, target).squeeze(1) * weight).sum().item<double>() +
                         ridge / 2 * weights.square().sum().item<double>();
    at::Tensor residual = log_p.exp();
    residual.scatter_add_(1, target, at::full_like(target, -1.0, x.options()));
    residual.mul_(weight.unsqueeze(1));
    at::Tensor gradient = at::empty_like(theta);
    gradient.slice(0, 0, d).copy_(at::mm(x.t(), residual).add_(weights, ridge));
    gradient.select(0, d).copy_(residual.sum(0));
    return {value, gradient};
  };
  const at::Tensor theta = metrics::lbfgs(objective, at::zeros({d + 1, classes.count}, x.options()),
                                          gradient_tolerance, most_iterations);

  const at::Tensor probabilities =
      at::softmax(at::addmm(theta.select(0, d), standardise(test_rows), theta.slice(0, 0, d)), 1);
  const std::int64_t columns = classes.values.max().item<std::int64_t>() + 1;
  return at::zeros({test_rows.size(0), columns}, x.options()).index_copy_(1, classes.values, probabilities);
}

}  // namespace stainfold
