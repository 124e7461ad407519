#include <algorithm>
#include <map>
#include <vector>

#include "clouds.h"
#include "metrics/distances.h"
#include "stainfold/metrics.h"
#include "testing.h"

using namespace stainfold;
using stainfold::testing::code_of;
using stainfold::testing::wave_cloud;

namespace {

// Votes of the k nearest other rows; rows as near as 1e-12 are equally near, and the smaller index comes
// first. With groups, only rows of another group count.
std::vector<std::map<std::int64_t, int>> naive_votes(const at::Tensor& z, const at::Tensor& labels,
                                                     std::int64_t k, const at::Tensor& groups = {}) {
  std::vector<std::map<std::int64_t, int>> votes(z.size(0));
  for (std::int64_t i = 0; i < z.size(0); ++i) {
    std::vector<std::pair<double, std::int64_t>> others;
    for (std::int64_t j = 0; j < z.size(0); ++j) {
      const double norms = z[i].norm().item<double>() * z[j].norm().item<double>();
      const double distance = norms > 0 ? 1 - at::dot(z[i], z[j]).item<double>() / norms : 1.0;
      const bool counts =
          groups.defined() ? groups[i].item<std::int64_t>() != groups[j].item<std::int64_t>() : j != i;
      if (counts) others.emplace_back(std::round(distance * 0x1p40), j);
    }
    std::sort(others.begin(), others.end());
    const std::int64_t heard = std::min(k, static_cast<std::int64_t>(others.size()));
    for (std::int64_t n = 0; n < heard; ++n) ++votes[i][labels[others[n].second].item<std::int64_t>()];
  }
  return votes;
}

at::Tensor majority(const std::vector<std::map<std::int64_t, int>>& votes) {
  at::Tensor result = at::empty({static_cast<std::int64_t>(votes.size())}, at::kLong);
  for (std::size_t i = 0; i < votes.size(); ++i) {
    std::int64_t best = -1;
    int most = 0;
    for (const auto& [label, count] : votes[i]) {  // ascending: the smaller label keeps a tie
      if (count > most) best = label, most = count;
    }
    result[static_cast<std::int64_t>(i)] = best;
  }
  return result;
}

double mean_inverse_simpson(const std::vector<std::map<std::int64_t, int>>& votes, std::int64_t k) {
  double sum = 0;
  for (const auto& row : votes) {
    double simpson = 0;
    for (const auto& [label, count] : row)
      simpson += static_cast<double>(count * count) / static_cast<double>(k * k);
    sum += 1 / simpson;
  }
  return sum / static_cast<double>(votes.size());
}

// Ties, duplicates, opposite and zero rows: integer points on few directions.
at::Tensor lattice() {
  at::Tensor z = at::empty({64, 2}, at::kDouble);
  for (int i = 0; i < 64; ++i) {
    z[i][0] = (i * 5) % 7 - 3;
    z[i][1] = (i * 3) % 5 - 2;
  }
  return z;
}

}  // namespace

TEST_CASE("neighbours: equal the naive reference, in any block size") {
  for (const at::Tensor& z : {wave_cloud(64, 6), lattice()}) {
    const at::Tensor labels = (at::arange(64, at::kLong) * 11).remainder(5) * 3;
    for (const std::int64_t k : {1, 4, 15, 63}) {
      CAPTURE(k);
      const auto votes = naive_votes(z, labels, k);
      CHECK(knn_predict(z, labels, k).equal(majority(votes)));
      CHECK(std::abs(lisi(z, labels, k) - mean_inverse_simpson(votes, k)) < 1e-12);  // 64 float64 terms
      for (const std::int64_t block : {1, 13, 63}) {
        CAPTURE(block);
        CHECK(metrics::neighbour_scores_in_tiles(z, labels, k, std::nullopt, block)
                  .predicted.equal(majority(votes)));
        CHECK(std::abs(metrics::neighbour_scores_in_tiles(z, labels, k, std::nullopt, block).lisi -
                       mean_inverse_simpson(votes, k)) < 1e-12);
      }
    }
  }
}

TEST_CASE(
    "neighbours of other groups: equal the naive reference, in any block size, and change nothing else") {
  const at::Tensor labels = (at::arange(64, at::kLong) * 11).remainder(5) * 3;
  // 9 groups across the labels; and one of 60 rows beside one of 4, so that fewer than k are left.
  for (const at::Tensor& groups :
       {at::arange(64, at::kLong).remainder(9) * 4, (at::arange(64, at::kLong) >= 60).to(at::kLong)}) {
    for (const at::Tensor& z : {wave_cloud(64, 6), lattice()}) {
      for (const std::int64_t k : {1, 4, 15, 63}) {
        const at::Tensor expected = majority(naive_votes(z, labels, k, groups));
        const NeighbourScores plain = neighbour_scores(z, labels, k);
        CHECK(!plain.predicted_other_groups.defined());
        for (const std::int64_t block : {0, 1, 13, 63}) {
          CAPTURE(k);
          CAPTURE(block);
          const NeighbourScores found = metrics::neighbour_scores_in_tiles(z, labels, k, groups, block);
          CHECK(found.predicted_other_groups.equal(expected));
          CHECK(found.predicted.equal(plain.predicted));
          CHECK(found.lisi == doctest::Approx(plain.lisi).epsilon(1e-12));  // a sum of 64 float64 terms
          CHECK(found.kbet == plain.kbet);
        }
      }
    }
  }
}

TEST_CASE("neighbours of other groups: tell a site from its slides") {
  // 12 slides of 20 rows in 3 sites, each slide about a direction of its own.
  const at::Tensor slides = at::arange(240, at::kLong).div(20, "floor"), sites = slides.remainder(3);
  const auto cloud = [&](const at::Tensor& direction) {
    return at::one_hot(direction, 12).to(at::kDouble) + wave_cloud(240, 12) * 1e-2;
  };
  const NeighbourScores by_slide = neighbour_scores(cloud(slides), sites, 5, slides);
  CHECK(accuracy(by_slide.predicted, sites) == 1.0);
  CHECK(accuracy(by_slide.predicted_other_groups, sites) < 0.5);  // chance is 1/3, less the slide left out
  const NeighbourScores by_site = neighbour_scores(cloud(sites), sites, 5, slides);
  CHECK(by_site.predicted_other_groups.equal(sites));
}

TEST_CASE("neighbours: of equal votes the smaller label wins, of equal distances the smaller index") {
  const at::Tensor z = at::ones({5, 3}, at::kDouble);
  const at::Tensor labels = at::tensor({4, 2, 2, 4, 9}, at::kLong);
  // All rows tie: row 4 sees rows 0, 1 (4, 2), row 0 rows 1, 2 (2, 2), row 2 rows 0, 1 (4, 2).
  CHECK(knn_predict(z, labels, 2).equal(at::tensor({2, 2, 2, 2, 2}, at::kLong)));
  CHECK(knn_predict(z, labels, 1).equal(at::tensor({2, 4, 4, 4, 4}, at::kLong)));
}

TEST_CASE("lisi: 1 where labels keep apart, the number of labels where they mix") {
  const at::Tensor labels = at::arange(40, at::kLong).remainder(2);
  at::Tensor apart = wave_cloud(40, 3) * 1e-3;
  apart.select(1, 0).add_(labels.to(at::kDouble) * 2 - 1);
  CHECK(lisi(apart, labels, 10) == doctest::Approx(1.0));
  // Row 2m and row 2m + 1 share a direction: of 2 neighbours in a ring of pairs one carries each label.
  const at::Tensor angle = at::arange(60, at::kLong).div(3, "floor").to(at::kDouble) * 0.1;
  const at::Tensor triples = at::stack({angle.cos(), angle.sin()}, 1);
  CHECK(lisi(triples, at::arange(60, at::kLong).remainder(3), 2) == doctest::Approx(2.0));
}

TEST_CASE("neighbours: what they refuse") {
  const at::Tensor z = wave_cloud(6, 2), labels = at::arange(6, at::kLong);
  for (const std::int64_t k : {-1, 0, 6, 7}) {
    CHECK(code_of([&] { knn_predict(z, labels, k); }) == ErrorCode::option);
    CHECK(code_of([&] { lisi(z, labels, k); }) == ErrorCode::option);
  }
  CHECK(code_of([&] { knn_predict(z, labels.slice(0, 1), 2); }) == ErrorCode::shape);
  CHECK(code_of([&] { neighbour_scores(z, labels, 2, labels.slice(0, 1)); }) == ErrorCode::shape);
  CHECK(code_of([&] { neighbour_scores(z, labels, 2, at::zeros_like(labels)); }) == ErrorCode::option);
  CHECK(code_of([&] { lisi(z.log(), labels, 2); }) == ErrorCode::non_finite);
}
