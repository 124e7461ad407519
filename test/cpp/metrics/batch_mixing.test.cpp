// kBET, variance between batches, k-means, retrieval: each against the textbook's loop.
#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <vector>

#include "clouds.h"
#include "metrics/distances.h"
#include "stainfold/metrics.h"
#include "testing.h"

using namespace stainfold;
using stainfold::testing::code_of;
using stainfold::testing::wave_cloud;

namespace {

// P(X > x) of chi-square with 2m degrees of freedom is a finite sum: exp(-x/2) sum_{i<m} (x/2)^i / i!.
double chi_square_tail_even(double x, int half_freedom) {
  double sum = 0, term = 1;
  for (int i = 0; i < half_freedom; ++i) {
    sum += term;
    term *= x / 2 / (i + 1);
  }
  return std::exp(-x / 2) * sum;
}

double naive_kbet(const at::Tensor& z, const std::vector<int>& labels, int classes, int k) {
  const auto n = static_cast<int>(labels.size());
  std::vector<double> expected(classes, 0);
  for (const int label : labels) expected[label] += static_cast<double>(k) / n;
  int rejected = 0;
  for (int i = 0; i < n; ++i) {
    std::vector<std::pair<double, int>> others;
    for (int j = 0; j < n; ++j) {
      const double cosine = at::dot(z[i], z[j]).item<double>() / (z[i].norm() * z[j].norm()).item<double>();
      if (j != i) others.emplace_back(1 - cosine, j);
    }
    std::sort(others.begin(), others.end());
    std::vector<double> seen(classes, 0);
    for (int m = 0; m < k; ++m) ++seen[labels[others[m].second]];
    double statistic = 0;
    for (int c = 0; c < classes; ++c) {
      statistic += (seen[c] - expected[c]) * (seen[c] - expected[c]) / expected[c];
    }
    rejected += chi_square_tail_even(statistic, (classes - 1) / 2) < 0.05;
  }
  return static_cast<double>(rejected) / n;
}

// Anderson's own form: sums of squared distances between pairs, no centroid.
std::pair<double, double> naive_permanova(const at::Tensor& z, const std::vector<int>& labels) {
  const auto n = static_cast<int>(labels.size());
  std::map<int, int> sizes;
  for (const int label : labels) ++sizes[label];
  double total = 0, within = 0;
  for (int i = 0; i < n; ++i) {
    for (int j = 0; j < i; ++j) {
      const double squared = (z[i] - z[j]).square().sum().item<double>();
      total += squared / n;
      if (labels[i] == labels[j]) within += squared / sizes[labels[i]];
    }
  }
  const double batches = static_cast<double>(sizes.size());
  return {(total - within) / total, ((total - within) / (batches - 1)) / (within / (n - batches))};
}

std::vector<int> cycling(int rows, int classes, int step) {
  std::vector<int> labels;
  for (int i = 0; i < rows; ++i) labels.push_back(i * step % 7 % classes);
  return labels;
}

at::Tensor longs_of(const std::vector<int>& labels) { return at::tensor(labels, at::kInt).to(at::kLong); }

}  // namespace

TEST_CASE("kBET: equals the loop over neighbourhoods, in any tile size") {
  const at::Tensor z = wave_cloud(90, 5);
  for (const int classes : {3, 5}) {
    const std::vector<int> labels = cycling(90, classes, 3);
    for (const int k : {5, 20}) {
      CAPTURE(k);
      const double expected = naive_kbet(z, labels, classes, k);
      CHECK(neighbour_scores(z, longs_of(labels), k).kbet == doctest::Approx(expected).epsilon(1e-12));
      CHECK(metrics::neighbour_scores_in_tiles(z, longs_of(labels), k, std::nullopt, 17).kbet ==
            doctest::Approx(expected).epsilon(1e-12));
    }
  }
}

TEST_CASE("kBET: 1 where batches are apart, near the test's level where they are drawn at random") {
  const at::Tensor labels = at::arange(400, at::kLong).remainder(2);
  at::Tensor apart = wave_cloud(400, 3) * 1e-3;
  apart.select(1, 0).add_(labels.to(at::kDouble) * 2 - 1);
  CHECK(neighbour_scores(apart, labels, 15).kbet == 1.0);
  at::manual_seed(1);
  const at::Tensor noise = at::randn({2000, 6}, at::kDouble);
  const double mixed = neighbour_scores(noise, at::arange(2000, at::kLong).remainder(2), 20).kbet;
  CHECK(mixed > 0.0);
  CHECK(mixed < 0.10);  // 0.05 asymptotically; 20 neighbours are discrete
  CHECK(std::isnan(neighbour_scores(noise, at::zeros({2000}, at::kLong), 5).kbet));
}

TEST_CASE("variance between batches: equals the sums over pairs") {
  const at::Tensor z = wave_cloud(60, 4) + 100;
  for (const int classes : {2, 4}) {
    std::vector<int> labels = cycling(60, classes, 2);
    const auto [r2, f] = naive_permanova(z, labels);
    const Permanova found = permanova(z, longs_of(labels), std::nullopt, 0, 1);
    CHECK(found.r2 == doctest::Approx(r2).epsilon(1e-10));  // 1,770 squared distances in float64
    CHECK(found.f == doctest::Approx(f).epsilon(1e-10));
    CHECK(std::isnan(found.p));
    CHECK(found.units == 60);
  }
}

TEST_CASE("variance between batches: the p-value tells a shift from none, and is seeded") {
  at::manual_seed(2);
  const at::Tensor z = at::randn({80, 5}, at::kDouble), labels = at::arange(80, at::kLong).remainder(2);
  const Permanova none = permanova(z, labels, std::nullopt, 199, 7);
  CHECK(none.p > 0.05);
  CHECK(permanova(z, labels, std::nullopt, 199, 7).p == none.p);
  const Permanova shifted = permanova(z + labels.unsqueeze(1) * 2.0, labels, std::nullopt, 199, 7);
  CHECK(shifted.p == doctest::Approx(1.0 / 200));
  CHECK(shifted.r2 > none.r2);
}

TEST_CASE("variance between batches: slides are permuted as wholes") {
  // Six slides, each with a place of its own, three a batch: 80 tiles a slide make no new evidence.
  at::manual_seed(3);
  const at::Tensor slide = at::arange(480, at::kLong).remainder(6);
  const at::Tensor z =
      at::randn({480, 3}, at::kDouble) * 0.1 + at::randn({6, 3}, at::kDouble).index_select(0, slide);
  const at::Tensor batch = slide.remainder(2);
  CHECK(permanova(z, batch, std::nullopt, 199, 1).p == doctest::Approx(1.0 / 200));
  const Permanova wholes = permanova(z, batch, slide, 199, 1);
  CHECK(wholes.units == 6);
  CHECK(wholes.p > 0.05);  // there are 10 ways to halve six slides
  CHECK(wholes.r2 == doctest::Approx(permanova(z, batch, std::nullopt, 0, 1).r2).epsilon(1e-12));
  // A slide in two batches cannot be moved as a whole.
  CHECK(permanova(z, at::arange(480, at::kLong).remainder(4), slide, 19, 1).units == 480);
}

TEST_CASE("variance between batches: nothing varies, or nothing within") {
  const at::Tensor labels = at::arange(8, at::kLong).remainder(2);
  CHECK(std::isnan(permanova(at::ones({8, 2}, at::kDouble), labels, std::nullopt, 9, 1).r2));
  CHECK(permanova(labels.unsqueeze(1).to(at::kDouble), labels, std::nullopt, 9, 1).r2 ==
        doctest::Approx(1.0));
  const at::Tensor z = wave_cloud(8, 2);
  CHECK(code_of([&] { permanova(z, labels * 0, std::nullopt, 9, 1); }) == ErrorCode::option);
  CHECK(code_of([&] { permanova(z, at::arange(8, at::kLong), std::nullopt, 9, 1); }) == ErrorCode::option);
  CHECK(code_of([&] { permanova(z, labels, std::nullopt, -1, 1); }) == ErrorCode::option);
  CHECK(code_of([&] { permanova(z, labels, labels.slice(0, 1), 9, 1); }) == ErrorCode::shape);
}

TEST_CASE("k-means: finds what is apart, is a fixed point, is seeded") {
  const at::Tensor labels = (at::arange(300, at::kLong) * 7).remainder(4);
  const at::Tensor centres = at::tensor({0.0, 0.0, 9.0, 0.0, 0.0, 9.0, 9.0, 9.0}, at::kDouble).view({4, 2});
  const at::Tensor z = wave_cloud(300, 2) + centres.index_select(0, labels) + 1e3;
  const at::Tensor found = kmeans(z, 4, 1);
  CHECK(adjusted_rand_index(found, labels) == 1.0);
  CHECK(kmeans(z, 4, 1).equal(found));
  // No row is nearer to another cluster's mean: what Lloyd's algorithm ends at.
  const at::Tensor loose = wave_cloud(200, 3), of = kmeans(loose, 5, 3);
  std::vector<at::Tensor> means;
  for (int c = 0; c < 5; ++c) means.push_back(loose.index_select(0, (of == c).nonzero().squeeze(1)).mean(0));
  CHECK(at::cdist(loose, at::stack(means)).argmin(1).equal(of));
}

TEST_CASE("k-means: fewer different rows than clusters, one cluster, as many as rows") {
  const at::Tensor few = at::arange(12, at::kLong).remainder(2).to(at::kDouble).unsqueeze(1);
  const at::Tensor found = kmeans(few, 3, 1);
  CHECK(found.slice(0, 0, 12, 2).eq(found[0]).all().item<bool>());
  CHECK(found[0].item<std::int64_t>() != found[1].item<std::int64_t>());
  CHECK(kmeans(few, 1, 1).abs().max().item<std::int64_t>() == 0);
  const at::Tensor line = at::arange(6, at::kDouble).unsqueeze(1);
  CHECK(std::get<0>(at::_unique2(kmeans(line, 6, 2))).size(0) == 6);
  for (const std::int64_t clusters : {0, 13}) {
    CHECK(code_of([&] { kmeans(few, clusters, 1); }) == ErrorCode::option);
  }
}

TEST_CASE("retrieval: equals sorting every gallery, in any tile size") {
  // 3 batches of 30 rows; pairs 0 to 24 in all, some twice in batch 2; the others are alone.
  std::vector<int> batch, pair;
  for (int b = 0; b < 3; ++b) {
    for (int i = 0; i < 30; ++i) {
      batch.push_back(b);
      pair.push_back(i < 25 ? i : b == 2 ? i - 25 : 1000 + 30 * b + i);
    }
  }
  const at::Tensor shared = wave_cloud(2000, 6);
  at::Tensor z = wave_cloud(90, 6) * 0.8;
  for (int i = 0; i < 90; ++i) z[i].add_(shared[pair[i]]);
  std::vector<std::vector<double>> top1(3, std::vector<double>(3)), top5 = top1, queries = top1;
  for (int i = 0; i < 90; ++i) {
    for (int to = 0; to < 3; ++to) {
      std::vector<std::pair<double, bool>> gallery;
      bool partner = false;
      for (int j = 0; j < 90; ++j) {
        if (batch[j] != to || to == batch[i]) continue;
        const double cosine = (at::dot(z[i], z[j]) / (z[i].norm() * z[j].norm())).item<double>();
        gallery.emplace_back(1 - cosine, pair[j] == pair[i]);
        partner |= pair[j] == pair[i];
      }
      if (!partner) continue;
      std::sort(gallery.begin(), gallery.end());
      const auto place = std::find_if(gallery.begin(), gallery.end(), [](auto& row) { return row.second; });
      ++queries[batch[i]][to];
      top1[batch[i]][to] += place - gallery.begin() < 1;
      top5[batch[i]][to] += place - gallery.begin() < 5;
    }
  }
  for (const std::int64_t side : {0, 1, 7}) {
    const Retrieval found = metrics::retrieve_in_tiles(z, longs_of(batch), longs_of(pair), side);
    for (int a = 0; a < 3; ++a) {
      for (int b = 0; b < 3; ++b) {
        CHECK(found.queries[a][b].item<double>() == queries[a][b]);
        CHECK(found.top1[a][b].item<double>() == top1[a][b]);
        CHECK(found.top5[a][b].item<double>() == top5[a][b]);
        CHECK(found.gallery[a][b].item<double>() == (a == b ? 0 : 30));
      }
    }
  }
  CHECK(top1[0][1] > 0);
  CHECK(top1[0][1] < 25);  // neither all nor none: the comparison can fail
}

TEST_CASE("retrieval: a collapsed embedding finds nothing; perfect copies find all") {
  const at::Tensor batch = at::arange(40, at::kLong).remainder(2),
                   pair = at::arange(40, at::kLong).div(2, "floor");
  CHECK(retrieve(at::ones({40, 3}, at::kDouble), batch, pair).top5.sum().item<double>() == 0);
  const at::Tensor copies = wave_cloud(20, 8).repeat_interleave(2, 0);
  const Retrieval all = retrieve(copies, batch, pair);
  CHECK(all.top1.sum().item<double>() == 40);
  CHECK(all.queries.sum().item<double>() == 40);
  CHECK(code_of([&] { retrieve(copies, batch * 0, pair); }) == ErrorCode::option);
  CHECK(code_of([&] { retrieve(copies, batch, pair.slice(0, 1)); }) == ErrorCode::shape);
}
