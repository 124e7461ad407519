// Scores of predicted labels and of rankings. Counts only, never a table of classes by classes: a clustering
// may have as many labels as rows.
#include <ATen/ATen.h>

#include <limits>

#include "core/checks.h"
#include "metrics/inputs.h"
#include "stainfold/metrics.h"

namespace stainfold {
namespace {

using metrics::checked_labels;
using metrics::Classes;
using metrics::classes_of;

struct Counts {                       // per class of either, float64
  at::Tensor predicted, truth, hits;  // [C]
};

Counts count_classes(const at::Tensor& predicted, const at::Tensor& truth) {
  check_shape(truth, "truth", {-1});
  const std::int64_t rows = truth.size(0);
  checked_labels(truth, "truth", rows);
  checked_labels(predicted, "predicted", rows);
  const Classes classes = classes_of(at::cat({predicted.to(truth.device()), truth}));
  const at::Tensor p = classes.index.slice(0, 0, rows), t = classes.index.slice(0, rows);
  const auto tally = [&](const at::Tensor& index) {
    return at::bincount(index, {}, classes.count).to(at::kDouble);
  };
  return {tally(p), tally(t), tally(t.masked_select(p == t))};
}

// n (n - 1) / 2, summed: pairs of rows within a group.
double pairs(const at::Tensor& counts) {
  const at::Tensor n = counts.to(at::kDouble);
  return (n * (n - 1)).sum().item<double>() / 2;
}

}  // namespace

double accuracy(const at::Tensor& predicted, const at::Tensor& truth) {
  const Counts counts = count_classes(predicted, truth);
  return (counts.hits.sum() / counts.truth.sum()).item<double>();
}

double balanced_accuracy(const at::Tensor& predicted, const at::Tensor& truth) {
  const Counts counts = count_classes(predicted, truth);
  const at::Tensor occurs = counts.truth > 0;
  return (counts.hits.masked_select(occurs) / counts.truth.masked_select(occurs)).mean().item<double>();
}

double f1_binary(const at::Tensor& predicted, const at::Tensor& truth) {
  count_classes(predicted, truth);  // the checks
  const at::Tensor p = predicted.to(truth.device()) == 1, t = truth == 1;
  const double both = p.logical_and(t).sum().item<double>();
  const double either = p.sum().item<double>() + t.sum().item<double>();
  return either > 0 ? 2 * both / either : 0.0;
}

double f1_macro(const at::Tensor& predicted, const at::Tensor& truth) {
  const Counts counts = count_classes(predicted, truth);
  return (2 * counts.hits / (counts.predicted + counts.truth)).mean().item<double>();
}

// Hubert and Arabie 1985, in the form that scikit-learn uses: pairs together in both, apart in both, and in
// one only.
double adjusted_rand_index(const at::Tensor& a, const at::Tensor& b) {
  check_shape(a, "a", {-1});
  const std::int64_t rows = a.size(0);
  const Classes first = classes_of(checked_labels(a, "a", rows));
  const Classes second = classes_of(checked_labels(b, "b", rows).to(a.device()));
  const double in_both = pairs(classes_of(first.index * second.count + second.index).counts);
  const double only_a = pairs(first.counts) - in_both, only_b = pairs(second.counts) - in_both;
  const double all = static_cast<double>(rows) * static_cast<double>(rows - 1) / 2;
  const double in_neither = all - in_both - only_a - only_b;
  if (only_a == 0 && only_b == 0) return 1.0;
  return 2 * (in_both * in_neither - only_a * only_b) /
         ((in_both + only_a) * (only_a + in_neither) + (in_both + only_b) * (only_b + in_neither));
}

double auroc(const at::Tensor& scores, const at::Tensor& positive) {
  check_shape(scores, "scores", {-1});
  check_dtype(positive, "positive", {at::kBool});
  check_shape(positive, "positive", {scores.size(0)});
  const at::Tensor values = metrics::finite_matrix(scores.unsqueeze(1), "scores").squeeze(1);
  const at::Tensor is_positive = positive.to(values.device());
  const auto [levels, level, counts] = at::_unique2(values, true, true, true);
  const at::Tensor positives =
      at::bincount(level.masked_select(is_positive), {}, levels.size(0)).to(at::kDouble);
  const at::Tensor negatives = counts.to(at::kDouble) - positives;
  const double pairs = (positives.sum() * negatives.sum()).item<double>();
  if (pairs == 0) return std::numeric_limits<double>::quiet_NaN();
  const at::Tensor won =
      negatives.cumsum(0) - negatives / 2;  // negatives below, and half of those at the level
  return (positives * won).sum().item<double>() / pairs;
}

}  // namespace stainfold
