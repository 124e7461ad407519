#include <cmath>
#include <limits>
#include <set>
#include <vector>

#include "clouds.h"
#include "stainfold/metrics.h"
#include "testing.h"

using namespace stainfold;
using stainfold::testing::code_of;
using stainfold::testing::golden_cloud;
using stainfold::testing::golden_labels;

namespace {

at::Tensor longs(const std::vector<std::int64_t>& values) { return at::tensor(values, at::kLong); }

std::vector<std::int64_t> numbers(const at::Tensor& labels) {
  return {labels.data_ptr<std::int64_t>(), labels.data_ptr<std::int64_t>() + labels.numel()};
}

double naive_auroc(const at::Tensor& scores, const at::Tensor& positive) {
  double won = 0, pairs = 0;
  for (std::int64_t i = 0; i < scores.size(0); ++i) {
    for (std::int64_t j = 0; j < scores.size(0); ++j) {
      if (!positive[i].item<bool>() || positive[j].item<bool>()) continue;
      const double a = scores[i].item<double>(), b = scores[j].item<double>();
      won += a > b ? 1.0 : a == b ? 0.5 : 0.0;
      ++pairs;
    }
  }
  return won / pairs;
}

double naive_f1(const std::vector<std::int64_t>& p, const std::vector<std::int64_t>& t, std::int64_t label) {
  double hit = 0, miss = 0;
  for (std::size_t i = 0; i < p.size(); ++i) {
    hit += p[i] == label && t[i] == label;
    miss += (p[i] == label) != (t[i] == label);
  }
  return hit > 0 ? 2 * hit / (2 * hit + miss) : 0.0;
}

double naive_rand(const std::vector<std::int64_t>& a, const std::vector<std::int64_t>& b) {
  double both = 0, first = 0, second = 0, all = 0;  // pairs of rows together in ...
  for (std::size_t i = 0; i < a.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j, ++all) {
      both += a[i] == a[j] && b[i] == b[j];
      first += a[i] == a[j];
      second += b[i] == b[j];
    }
  }
  const double expected = first * second / all;
  return (both - expected) / ((first + second) / 2 - expected);
}

}  // namespace

TEST_CASE("classification: scikit-learn's numbers") {
  const at::Tensor z = golden_cloud(), labels = golden_labels(), i = at::arange(120, at::kLong);
  const at::Tensor truth = (i * 7).remainder(5) < 2;
  const at::Tensor score = z.select(1, 0) + 0.2 * z.select(1, 3);
  const at::Tensor predicted = (i * i).div(7, "floor").remainder(3);
  // 1e-10 asked; they are ratios of counts, so a few units in the last place come out.
  CHECK(std::abs(auroc(score, truth) - 0.5011574074074074) < 1e-10);
  CHECK(std::abs(f1_binary((score > 0).to(at::kLong), truth.to(at::kLong)) - 0.48695652173913045) < 1e-10);
  CHECK(std::abs(f1_macro(predicted, labels) - 0.1927194252775648) < 1e-10);
  CHECK(std::abs(adjusted_rand_index(labels, predicted) - 0.07323820275692686) < 1e-10);
}

TEST_CASE("auroc: equals counting pairs, with ties and one-sided rankings") {
  const at::Tensor i = at::arange(50, at::kLong);
  const at::Tensor coarse = (i * 17).remainder(6).to(at::kFloat);  // many ties
  const at::Tensor positive = (i * 13).remainder(7) < 3;
  CHECK(auroc(coarse, positive) == doctest::Approx(naive_auroc(coarse, positive)).epsilon(1e-14));
  CHECK(auroc(at::zeros({50}), positive) == 0.5);
  CHECK(auroc(positive.to(at::kDouble), positive) == 1.0);
  CHECK(auroc(-positive.to(at::kDouble), positive) == 0.0);
  CHECK(std::isnan(auroc(coarse, at::zeros({50}, at::kBool))));
  CHECK(std::isnan(auroc(coarse, at::ones({50}, at::kBool))));
  CHECK(code_of([&] { auroc(coarse, positive.slice(0, 1)); }) == ErrorCode::shape);
  CHECK(code_of([&] { auroc(coarse, i); }) == ErrorCode::dtype);
  CHECK(code_of([&] { auroc(coarse.log().log(), positive); }) == ErrorCode::non_finite);
}

TEST_CASE("scores of labels: equal counting by hand") {
  const std::vector<std::int64_t> t = {0, 0, 0, 0, 1, 1, 5, 5, 5, 8}, p = {0, 0, 1, 3, 1, 0, 5, 5, 3, 0};
  CHECK(accuracy(longs(p), longs(t)) == doctest::Approx(5 / 10.0));
  // Recall of 0, 1, 5, 8; the 3 occurs in the prediction only.
  CHECK(balanced_accuracy(longs(p), longs(t)) == doctest::Approx((2 / 4.0 + 1 / 2.0 + 2 / 3.0 + 0) / 4));
  double sum = 0;
  for (const std::int64_t label : {0, 1, 3, 5, 8}) sum += naive_f1(p, t, label);
  CHECK(f1_macro(longs(p), longs(t)) == doctest::Approx(sum / 5));
  CHECK(f1_binary(longs(p), longs(t)) == doctest::Approx(naive_f1(p, t, 1)));
  CHECK(f1_binary(longs({0, 2}), longs({0, 0})) == 0.0);
}

TEST_CASE("adjusted Rand index: equals counting pairs; degenerate partitions") {
  const at::Tensor i = at::arange(40, at::kLong);
  const at::Tensor a = (i * i).remainder(7), b = (i * 3).remainder(5) * 1000000007;
  CHECK(adjusted_rand_index(a, b) == doctest::Approx(naive_rand(numbers(a), numbers(b))).epsilon(1e-12));
  CHECK(adjusted_rand_index(a, b) == doctest::Approx(adjusted_rand_index(b, a)).epsilon(1e-12));
  CHECK(adjusted_rand_index(a, 6 - a) == 1.0);  // the same partition under other names
  CHECK(adjusted_rand_index(i, i) == 1.0);      // singletons: as many labels as rows
  CHECK(adjusted_rand_index(i * 0, i * 0) == 1.0);
  CHECK(adjusted_rand_index(i * 0, i) == 0.0);
  CHECK(adjusted_rand_index(longs({3}), longs({4})) == 1.0);
}

TEST_CASE("scores of labels: what they refuse") {
  const at::Tensor two = longs({0, 1}), three = longs({0, 1, 2}), none = at::empty({0}, at::kLong);
  for (const auto score : {accuracy, balanced_accuracy, f1_binary, f1_macro, adjusted_rand_index}) {
    CHECK(code_of([&] { score(two, three); }) == ErrorCode::shape);
    CHECK(code_of([&] { score(none, none); }) == ErrorCode::shape);
    CHECK(code_of([&] { score(two - 1, two); }) == ErrorCode::option);
    CHECK(code_of([&] { score(two.to(at::kInt), two); }) == ErrorCode::dtype);
  }
}
