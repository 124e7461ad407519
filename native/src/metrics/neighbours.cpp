// What the k nearest rows say, by cosine distance. One search serves every score.
#include <ATen/ATen.h>

#include <algorithm>
#include <functional>
#include <limits>

#include "core/checks.h"
#include "metrics/distances.h"
#include "metrics/inputs.h"

namespace stainfold {
namespace metrics {
namespace {

// A distance and an index as one number: ordering it orders by distance, and of equal distances by index, so
// that the neighbours are a function of the input alone. Equal to about 12 digits (2^-40) is a tie: the last
// bits depend on where a row lies within the matrix product. 41 bits of distance (to 2) and 21 of index.
constexpr std::int64_t most_rows = std::int64_t{1} << 21;
constexpr std::int64_t excluded = std::numeric_limits<std::int64_t>::max();

at::Tensor keys_of_tile(const PairwiseDistances& distances, std::int64_t begin, std::int64_t end,
                        std::int64_t first, std::int64_t last) {
  at::Tensor keys = distances.tile(begin, end, first, last).mul_(0x1p40).round_().to(at::kLong);
  keys.mul_(most_rows).add_(at::arange(first, last, keys.options()));
  keys.diagonal(begin - first).fill_(excluded);  // a row is not its own neighbour
  return keys;
}

struct Stretch {
  std::int64_t begin, end;
};

// The k nearest of the rows `among` to each row of `queries`, nearest first: visit(begin, end, [b,k] int64).
void for_each_nearest(
    const PairwiseDistances& distances, Stretch queries, Stretch among, std::int64_t k, const Tiling& tiles,
    const std::function<void(std::int64_t begin, std::int64_t end, const at::Tensor& neighbours)>& visit) {
  for (std::int64_t begin = queries.begin; begin < queries.end; begin += tiles.rows) {
    const std::int64_t end = std::min(begin + tiles.rows, queries.end);
    at::Tensor best;
    for (std::int64_t first = among.begin; first < among.end; first += tiles.columns) {
      const std::int64_t last = std::min(first + tiles.columns, among.end);
      at::Tensor keys = keys_of_tile(distances, begin, end, first, last);
      if (best.defined()) keys = at::cat({best, keys}, 1);
      best = std::get<0>(keys.topk(std::min(k, keys.size(1)), /*dim=*/1, /*largest=*/false, /*sorted=*/true));
    }
    visit(begin, end, best.remainder(most_rows));
  }
}

// How often each class occurs among the neighbours.
at::Tensor votes_of(const at::Tensor& neighbours, const Classes& classes) {  // [b,k] -> [b,C] float64
  const at::Tensor labels = classes.index.index_select(0, neighbours.flatten()).view_as(neighbours);
  at::Tensor votes = at::zeros({neighbours.size(0), classes.count}, neighbours.options().dtype(at::kDouble));
  return votes.scatter_add_(1, labels, at::ones_like(labels, votes.options()));
}

// Pearson's chi-square of the classes in a neighbourhood against those of all rows; [b] of its p-values.
at::Tensor mixing_p_value(const at::Tensor& votes, const at::Tensor& expected) {  // [b,C], [C]
  const at::Tensor statistic = ((votes - expected).square() / expected).sum(1);
  const double freedom = static_cast<double>(expected.size(0) - 1);
  return at::special_gammaincc(at::full_like(statistic, freedom / 2), statistic / 2);
}

void check_k(std::int64_t k, std::int64_t rows) {
  check_option(k >= 1 && k < rows, "k must be at least 1 and below the number of rows, " +
                                       std::to_string(rows) + ", got " + std::to_string(k));
  check_option(rows <= most_rows,
               "at most " + std::to_string(most_rows) + " rows can be searched, got " + std::to_string(rows));
}

}  // namespace

NeighbourScores neighbour_scores_in_tiles(const at::Tensor& z, const at::Tensor& labels, std::int64_t k,
                                          std::int64_t side) {
  const at::Tensor points = finite_matrix(z, "z");
  const std::int64_t n = points.size(0);
  const Classes classes = classes_of(checked_labels(labels, "labels", n).to(points.device()));
  check_k(k, n);
  // argmax leaves open which of equal votes it returns: vote * C - class has one maximum, the smaller label.
  const at::Tensor rank = at::arange(classes.count, points.options());
  const at::Tensor expected = classes.counts.to(at::kDouble) * (static_cast<double>(k) / n);
  at::Tensor predicted = at::empty({n}, classes.values.options());
  at::Tensor effective = at::empty({n}, points.options()), p_value = at::empty({n}, points.options());
  const PairwiseDistances distances(points, Distance::cosine);
  for_each_nearest(
      distances, {0, n}, {0, n}, k, tiling(side),
      [&](std::int64_t begin, std::int64_t end, const at::Tensor& neighbours) {
        const at::Tensor votes = votes_of(neighbours, classes);
        const at::Tensor winner = (votes * static_cast<double>(classes.count) - rank).argmax(1);
        predicted.slice(0, begin, end).copy_(classes.values.index_select(0, winner));
        effective.slice(0, begin, end).copy_((votes / static_cast<double>(k)).square().sum(1).reciprocal());
        p_value.slice(0, begin, end).copy_(mixing_p_value(votes, expected));
      });
  const double rejected = classes.count < 2 ? std::numeric_limits<double>::quiet_NaN()
                                            : (p_value < 0.05).to(at::kDouble).mean().item<double>();
  return {predicted, effective.mean().item<double>(), rejected};
}

at::Tensor knn_probe_in_tiles(const at::Tensor& train, const at::Tensor& train_labels, const at::Tensor& test,
                              std::int64_t k, std::int64_t side) {
  const at::Tensor train_rows = finite_matrix(train, "train");
  const at::Tensor test_rows = finite_matrix(test, "test").to(train_rows.device());
  const std::int64_t n = train_rows.size(0), m = test_rows.size(0);
  check_shape(test_rows, "test", {-1, train_rows.size(1)});
  const Classes classes = classes_of(checked_labels(train_labels, "train_labels", n).to(train_rows.device()));
  check_option(k >= 1 && k <= n, "k must be from 1 to the number of training rows, " + std::to_string(n) +
                                     ", got " + std::to_string(k));
  check_k(1, n + m);
  const at::Tensor weight = classes.counts.to(at::kDouble).reciprocal();
  at::Tensor shares = at::empty({m, classes.count}, train_rows.options());
  const PairwiseDistances distances(at::cat({train_rows, test_rows}), Distance::cosine);
  for_each_nearest(distances, {n, n + m}, {0, n}, k, tiling(side),
                   [&](std::int64_t begin, std::int64_t end, const at::Tensor& neighbours) {
                     const at::Tensor votes = votes_of(neighbours, classes) * weight;
                     shares.slice(0, begin - n, end - n).copy_(votes / votes.sum(1, true));
                   });
  const std::int64_t columns = classes.values.max().item<std::int64_t>() + 1;
  return at::zeros({m, columns}, shares.options()).index_copy_(1, classes.values, shares);
}

}  // namespace metrics

NeighbourScores neighbour_scores(const at::Tensor& z, const at::Tensor& labels, std::int64_t k) {
  return metrics::neighbour_scores_in_tiles(z, labels, k);
}

at::Tensor knn_predict(const at::Tensor& z, const at::Tensor& labels, std::int64_t k) {
  return metrics::neighbour_scores_in_tiles(z, labels, k).predicted;
}

double lisi(const at::Tensor& z, const at::Tensor& labels, std::int64_t k) {
  return metrics::neighbour_scores_in_tiles(z, labels, k).lisi;
}

at::Tensor knn_probe(const at::Tensor& train, const at::Tensor& train_labels, const at::Tensor& test,
                     std::int64_t k) {
  return metrics::knn_probe_in_tiles(train, train_labels, test, k);
}

}  // namespace stainfold
