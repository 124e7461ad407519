// Probes beside the logistic one, and the resamples behind intervals.
#include <algorithm>
#include <cmath>
#include <map>
#include <vector>

#include "clouds.h"
#include "metrics/distances.h"
#include "stainfold/metrics.h"
#include "testing.h"

using namespace stainfold;
using stainfold::testing::code_of;
using stainfold::testing::golden_cloud;
using stainfold::testing::golden_labels;
using stainfold::testing::largest_difference;
using stainfold::testing::relative_error;
using stainfold::testing::wave_cloud;

namespace {

// Ridge regression as one least-squares problem: weighted rows, a column of ones that is not penalised.
at::Tensor naive_ridge(const at::Tensor& train, const at::Tensor& labels, const at::Tensor& test,
                       double penalty) {
  const at::Tensor mean = train.mean(0), deviation = train.std(0, false);
  const at::Tensor x = at::cat({(train - mean) / deviation, at::ones({train.size(0), 1}, at::kDouble)}, 1);
  const at::Tensor y = at::one_hot(labels).to(at::kDouble) * 2 - 1;
  const at::Tensor count = at::bincount(labels).to(at::kDouble);
  const at::Tensor weight =
      (static_cast<double>(train.size(0)) / (count * count.size(0))).index_select(0, labels).unsqueeze(1);
  at::Tensor penalties = at::full({x.size(1)}, penalty, at::kDouble);
  penalties[-1] = 0;
  const at::Tensor solution =
      at::linalg_solve(at::mm(x.t(), x * weight) + penalties.diag(), at::mm(x.t(), y * weight));
  return at::mm(at::cat({(test - mean) / deviation, at::ones({test.size(0), 1}, at::kDouble)}, 1), solution);
}

at::Tensor naive_knn_probe(const at::Tensor& train, const std::vector<std::int64_t>& labels,
                           const at::Tensor& test, std::int64_t classes, std::int64_t k) {
  std::vector<double> count(classes, 0);
  for (const std::int64_t label : labels) ++count[label];
  at::Tensor shares = at::zeros({test.size(0), classes}, at::kDouble);
  for (std::int64_t i = 0; i < test.size(0); ++i) {
    std::vector<std::pair<double, std::int64_t>> near;
    for (std::int64_t j = 0; j < train.size(0); ++j) {
      const double norms = (test[i].norm() * train[j].norm()).item<double>();
      near.emplace_back(1 - at::dot(test[i], train[j]).item<double>() / norms, j);
    }
    std::sort(near.begin(), near.end());
    for (std::int64_t m = 0; m < k; ++m) {
      const std::int64_t label = labels[near[m].second];
      shares[i][label] += 1 / count[label];
    }
  }
  return shares / shares.sum(1, true);
}

// Every second row of class 2 is left out, so that the classes do not balance.
at::Tensor lopsided() {
  const at::Tensor i = at::arange(120, at::kLong);
  return i.masked_select(at::logical_or(i.remainder(3) != 2, i.remainder(2) == 0));
}

double share_between(const at::Tensor& samples, double value, double* low, double* high) {
  const at::Tensor sorted = std::get<0>(samples.sort());
  *low = sorted[static_cast<std::int64_t>(0.025 * static_cast<double>(sorted.size(0)))].item<double>();
  *high = sorted[static_cast<std::int64_t>(0.975 * static_cast<double>(sorted.size(0)))].item<double>();
  return value;
}

}  // namespace

TEST_CASE("ridge probe: equals one weighted least-squares problem") {
  const at::Tensor rows = lopsided(), train = golden_cloud().index_select(0, rows);
  const at::Tensor labels = golden_labels().index_select(0, rows), test = golden_cloud().slice(0, 0, 20);
  for (const double penalty : {1e-3, 1.0, 100.0}) {
    CAPTURE(penalty);
    // 1e-9: two factorisations of a well-conditioned 8 x 8 matrix in float64.
    CHECK(relative_error(ridge_probe(train, labels, test, penalty),
                         naive_ridge(train, labels, test, penalty)) < 1e-9);
  }
  const at::Tensor gap = ridge_probe(train, labels * 2, test, 1.0);
  CHECK(gap.sizes() == at::IntArrayRef({20, 5}));
  CHECK(std::isinf(gap[0][1].item<double>()));
  CHECK(ridge_probe(wave_cloud(30, 200), at::arange(30, at::kLong).remainder(2), wave_cloud(30, 200), 1.0)
            .argmax(1)
            .equal(at::arange(30, at::kLong).remainder(2)));
  CHECK(code_of([&] { ridge_probe(train, labels * 0, test, 1); }) == ErrorCode::option);
  CHECK(code_of([&] { ridge_probe(train, labels, test, 0); }) == ErrorCode::option);
}

TEST_CASE("k-NN probe: equals sorting, classes balanced, in any tile size") {
  const at::Tensor train = wave_cloud(70, 5), test = wave_cloud(100, 5).slice(0, 70);
  std::vector<std::int64_t> labels;
  for (std::int64_t i = 0; i < 70; ++i) labels.push_back(i % 5 == 0 ? 2 : i % 2);
  const at::Tensor of = at::tensor(labels, at::kLong);
  for (const std::int64_t k : {1, 6, 70}) {
    CAPTURE(k);
    const at::Tensor expected = naive_knn_probe(train, labels, test, 3, k);
    for (const std::int64_t side : {0, 1, 13}) {
      CHECK(largest_difference(metrics::knn_probe_in_tiles(train, of, test, k, side), expected) < 1e-12);
    }
  }
  // All neighbours: every class has the same say.
  CHECK(largest_difference(knn_probe(train, of, test, 70), at::full({30, 3}, 1.0 / 3, at::kDouble)) < 1e-12);
  for (const std::int64_t k : {0, 71}) {
    CHECK(code_of([&] { knn_probe(train, of, test, k); }) == ErrorCode::option);
  }
}

TEST_CASE("bootstrap: a resample's scores are those of the rows it draws") {
  // Two clusters: a resample holds both, or one of them twice. Each must equal the scores of those rows.
  const at::Tensor i = at::arange(60, at::kLong), truth = (i * 7).remainder(3), cluster = i.remainder(2);
  at::Tensor scores = wave_cloud(60, 3);
  scores.select(1, 0).copy_((scores.select(1, 0) * 4).round());  // ties
  const auto score = [&](const at::Tensor& rows) {
    const at::Tensor s = scores.index_select(0, rows), t = truth.index_select(0, rows);
    double area = 0;
    for (int c = 0; c < 3; ++c) area += auroc(s.select(1, c), t == c) / 3;
    return at::tensor({balanced_accuracy(s.argmax(1), t), f1_macro(s.argmax(1), t), area}, at::kDouble);
  };
  const std::vector<at::Tensor> possible = {score(i), score((cluster == 0).nonzero().squeeze(1)),
                                            score((cluster == 1).nonzero().squeeze(1))};
  const at::Tensor samples = bootstrap_scores(scores, truth, cluster, 200, 5);
  std::vector<int> met(3, 0);
  for (int r = 0; r < 200; ++r) {
    for (int which = 0; which < 3; ++which) {
      met[which] += largest_difference(samples[r], possible[which]) < 1e-12;
    }
  }
  CHECK(met[0] + met[1] + met[2] == 200);
  // Half of the resamples hold both clusters: 100 +- 7 by chance.
  CHECK(std::abs(met[0] - 100) < 30);
  CHECK(met[1] > 20);
  CHECK(met[2] > 20);
  CHECK(samples.equal(bootstrap_scores(scores, truth, cluster, 200, 5)));
  CHECK(!samples.equal(bootstrap_scores(scores, truth, cluster, 200, 6)));
}

TEST_CASE("bootstrap: intervals of clusters are as wide as theory says, those of tiles too narrow") {
  // 30 slides of 20 tiles; a slide's tiles are all right or all wrong, so the accuracy is a mean of 30 draws:
  // its interval's half-width is 1.96 sqrt(p (1 - p) / 30).
  const at::Tensor slide = at::arange(600, at::kLong).div(20, "floor");
  const at::Tensor truth = at::arange(600, at::kLong).remainder(2);
  const at::Tensor right = (slide * 11).remainder(10) < 7;
  const at::Tensor scores = at::one_hot(at::where(right, truth, 1 - truth), 2).to(at::kDouble);
  double low = 0, high = 0;
  share_between(bootstrap_scores(scores, truth, slide, 2000, 1).select(1, 0), 0.7, &low, &high);
  const double theory = 1.96 * std::sqrt(0.7 * 0.3 / 30);
  CHECK((high - low) / 2 == doctest::Approx(theory).epsilon(0.15));
  CHECK(low < 0.7);
  CHECK(high > 0.7);
  share_between(bootstrap_scores(scores, truth, at::arange(600, at::kLong), 2000, 1).select(1, 0), 0.7, &low,
                &high);
  CHECK((high - low) / 2 < theory / 3);  // by the square root of 20
}

TEST_CASE("bootstrap of the adjusted Rand index") {
  const at::Tensor i = at::arange(90, at::kLong), a = (i * i).remainder(5), b = (i * 3).remainder(4);
  const at::Tensor cluster = i.remainder(2);
  const auto index = [&](const at::Tensor& rows) {
    return adjusted_rand_index(a.index_select(0, rows), b.index_select(0, rows));
  };
  // A cluster drawn twice doubles its rows, and the index counts the doubles as pairs.
  const at::Tensor even = (cluster == 0).nonzero().squeeze(1), odd = (cluster == 1).nonzero().squeeze(1);
  const std::vector<double> possible = {index(i), index(at::cat({even, even})), index(at::cat({odd, odd}))};
  const at::Tensor samples = bootstrap_rand_index(a, b, cluster, 100, 3);
  for (int r = 0; r < 100; ++r) {
    double nearest = 1;
    for (const double value : possible)
      nearest = std::min(nearest, std::abs(samples[r].item<double>() - value));
    CHECK(nearest < 1e-12);
  }
}

TEST_CASE("bootstrap: an AUROC without one side is NaN; what it refuses") {
  const at::Tensor truth = at::tensor({0, 1}, at::kLong), scores = at::rand({2, 2}, at::kDouble);
  const at::Tensor samples = bootstrap_scores(scores, truth, truth, 50, 1);
  CHECK(at::isnan(samples.select(1, 2)).any().item<bool>());
  CHECK(!at::isnan(samples.select(1, 0)).any().item<bool>());
  CHECK(code_of([&] { bootstrap_scores(scores, truth + 1, truth, 50, 1); }) == ErrorCode::option);
  CHECK(code_of([&] { bootstrap_scores(scores, truth, truth, 0, 1); }) == ErrorCode::option);
  CHECK(code_of([&] { bootstrap_scores(scores.slice(1, 1), truth, truth, 9, 1); }) == ErrorCode::option);
  CHECK(code_of([&] { bootstrap_scores(scores, truth.slice(0, 1), truth, 9, 1); }) == ErrorCode::shape);
  CHECK(code_of([&] { bootstrap_scores(scores.log().log(), truth, truth, 9, 1); }) == ErrorCode::non_finite);
}
