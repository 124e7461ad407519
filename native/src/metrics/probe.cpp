#include <ATen/ATen.h>

#include <cmath>
#include <limits>

#include "core/checks.h"
#include "metrics/inputs.h"
#include "metrics/lbfgs.h"
#include "metrics/probe.h"
#include "stainfold/metrics.h"

namespace stainfold {
namespace metrics {
namespace {

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

ProbeTask::ProbeTask(const at::Tensor& train, const at::Tensor& train_labels, const at::Tensor& test,
                     double penalty) {
  const at::Tensor train_rows = finite_matrix(train, "train");
  const at::Tensor test_rows = finite_matrix(test, "test").to(train_rows.device());
  check_shape(test_rows, "test", {-1, train_rows.size(1)});
  classes =
      classes_of(checked_labels(train_labels, "train_labels", train_rows.size(0)).to(train_rows.device()));
  check_option(classes.count >= 2, "a probe needs at least two labels, got " + std::to_string(classes.count));
  check_option(std::isfinite(penalty) && penalty > 0,
               "penalty must be positive and finite, got " + std::to_string(penalty));
  const Standardiser standardise(train_rows);
  x = standardise(train_rows);
  test_x = standardise(test_rows);
  weight = (classes.counts.to(at::kDouble) * static_cast<double>(classes.count))
               .reciprocal()
               .index_select(0, classes.index);
}

at::Tensor ProbeTask::by_label(const at::Tensor& scores, double absent) const {
  const std::int64_t columns = classes.values.max().item<std::int64_t>() + 1;
  return at::full({scores.size(0), columns}, absent, x.options()).index_copy_(1, classes.values, scores);
}

}  // namespace metrics

namespace {

// Of the mean objective's gradient. The objective is as curved as penalty / N or more, so at N = 1000 and
// penalty 1 no weight is further than about 1e-6 from the minimum.
constexpr double gradient_tolerance = 1e-9;
constexpr int most_iterations = 20000;

}  // namespace

at::Tensor linear_probe(const at::Tensor& train, const at::Tensor& train_labels, const at::Tensor& test,
                        double penalty) {
  const metrics::ProbeTask task(train, train_labels, test, penalty);
  const auto& [x, test_x, classes, weight] = task;
  const std::int64_t n = x.size(0), d = x.size(1);
  const at::Tensor target = classes.index.unsqueeze(1);  // [N,1]
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
      at::softmax(at::addmm(theta.select(0, d), test_x, theta.slice(0, 0, d)), 1);
  return task.by_label(probabilities, 0.0);
}

at::Tensor ridge_probe(const at::Tensor& train, const at::Tensor& train_labels, const at::Tensor& test,
                       double penalty) {
  const metrics::ProbeTask task(train, train_labels, test, penalty);
  const auto& [x, test_x, classes, weight] = task;
  const auto n = static_cast<double>(x.size(0));
  // Targets 1 and -1. The intercept is not penalised: x and y are centred by their weighted means.
  at::Tensor y = at::full({x.size(0), classes.count}, -1.0, x.options());
  y.scatter_(1, classes.index.unsqueeze(1), 1.0);
  const at::Tensor balance = weight.unsqueeze(1);  // [N,1], sums to 1
  const at::Tensor mean_x = (x * balance).sum(0), mean_y = (y * balance).sum(0);
  const at::Tensor weighted = (x - mean_x) * (balance * n);
  at::Tensor gram = at::mm(weighted.t(), x - mean_x);  // [d,d]
  gram.diagonal().add_(penalty);
  const at::Tensor coefficients =
      at::cholesky_solve(at::mm(weighted.t(), y - mean_y), at::linalg_cholesky(gram));
  return task.by_label(at::addmm(mean_y.unsqueeze(0), test_x - mean_x, coefficients),
                       -std::numeric_limits<double>::infinity());
}

}  // namespace stainfold
