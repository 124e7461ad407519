// What the k nearest rows say, by cosine distance. One search serves every score.
#include <ATen/ATen.h>

#include <algorithm>
#include <functional>
#include <limits>

#include "core/checks.h"
#include "core/interrupt.h"
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

// The smallest k of the keys so far and of another tile's, ascending.
void keep_nearest(at::Tensor& best, const at::Tensor& tile, std::int64_t k) {
  const at::Tensor keys = best.defined() ? at::cat({best, tile}, 1) : tile;
  best = std::get<0>(keys.topk(std::min(k, keys.size(1)), /*dim=*/1, /*largest=*/false, /*sorted=*/true));
}

// Rows of the keys; -1 where nothing was left to be near.
at::Tensor rows_of_keys(const at::Tensor& keys) {
  return keys.remainder(most_rows).masked_fill_(keys == excluded, -1);
}

// [b,k] int64, nearest first, -1 where there are fewer.
struct Nearest {
  at::Tensor all;
  at::Tensor other_groups;  // undefined without groups
};

// The k nearest of the rows `among` to each row of `queries`, and where `groups` [N] is defined also the k
// nearest of another group than the row's own, from the same distances.
void for_each_nearest(
    const PairwiseDistances& distances, Stretch queries, Stretch among, std::int64_t k,
    const at::Tensor& groups, const Tiling& tiles,
    const std::function<void(std::int64_t begin, std::int64_t end, const Nearest& nearest)>& visit) {
  for (std::int64_t begin = queries.begin; begin < queries.end; begin += tiles.rows) {
    check_interrupt();
    const std::int64_t end = std::min(begin + tiles.rows, queries.end);
    at::Tensor all, others;
    for (std::int64_t first = among.begin; first < among.end; first += tiles.columns) {
      const std::int64_t last = std::min(first + tiles.columns, among.end);
      at::Tensor keys = keys_of_tile(distances, begin, end, first, last);
      keep_nearest(all, keys, k);
      if (!groups.defined()) continue;
      const at::Tensor own = groups.slice(0, begin, end).unsqueeze(1) == groups.slice(0, first, last);
      keep_nearest(others, keys.masked_fill_(own, excluded), k);
    }
    visit(begin, end, {rows_of_keys(all), groups.defined() ? rows_of_keys(others) : at::Tensor()});
  }
}

// How often each class occurs among the neighbours; -1 has no vote.
at::Tensor votes_of(const at::Tensor& neighbours, const Classes& classes) {  // [b,k] -> [b,C] float64
  const at::Tensor rows = neighbours.clamp_min(0).flatten();
  const at::Tensor labels = classes.index.index_select(0, rows).view_as(neighbours);
  at::Tensor votes = at::zeros({neighbours.size(0), classes.count}, neighbours.options().dtype(at::kDouble));
  return votes.scatter_add_(1, labels, (neighbours >= 0).to(at::kDouble));
}

// The label of the most votes, of a tie the smaller. argmax leaves open which of equal votes it returns: vote
// * C - class has one maximum.
at::Tensor elected(const at::Tensor& votes, const Classes& classes) {  // [b,C] -> [b] int64
  const at::Tensor rank = at::arange(classes.count, votes.options());
  return classes.values.index_select(0, (votes * static_cast<double>(classes.count) - rank).argmax(1));
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
                                          const std::optional<at::Tensor>& groups, std::int64_t side) {
  const at::Tensor points = finite_matrix(z, "z");
  const std::int64_t n = points.size(0);
  const Classes classes = classes_of(checked_labels(labels, "labels", n).to(points.device()));
  check_k(k, n);
  at::Tensor group, elsewhere;
  if (groups) {
    group = checked_labels(*groups, "groups", n).to(points.device());
    check_option((group != group[0]).any().item<bool>(), "groups must hold two values at least");
    elsewhere = at::empty({n}, classes.values.options());
  }
  const at::Tensor expected = classes.counts.to(at::kDouble) * (static_cast<double>(k) / n);
  at::Tensor predicted = at::empty({n}, classes.values.options());
  at::Tensor effective = at::empty({n}, points.options()), p_value = at::empty({n}, points.options());
  const PairwiseDistances distances(points, Distance::cosine);
  for_each_nearest(
      distances, {0, n}, {0, n}, k, group, tiling(side),
      [&](std::int64_t begin, std::int64_t end, const Nearest& nearest) {
        const at::Tensor votes = votes_of(nearest.all, classes);
        predicted.slice(0, begin, end).copy_(elected(votes, classes));
        if (group.defined())
          elsewhere.slice(0, begin, end).copy_(elected(votes_of(nearest.other_groups, classes), classes));
        effective.slice(0, begin, end).copy_((votes / static_cast<double>(k)).square().sum(1).reciprocal());
        p_value.slice(0, begin, end).copy_(mixing_p_value(votes, expected));
      });
  const double rejected = classes.count < 2 ? std::numeric_limits<double>::quiet_NaN()
                                            : (p_value < 0.05).to(at::kDouble).mean().item<double>();
  return {predicted, effective.mean().item<double>(), rejected, elsewhere};
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
  for_each_nearest(distances, {n, n + m}, {0, n}, k, /*groups=*/{}, tiling(side),
                   [&](std::int64_t begin, std::int64_t end, const Nearest& nearest) {
                     const at::Tensor votes = votes_of(nearest.all, classes) * weight;
                     shares.slice(0, begin - n, end - n).copy_(votes / votes.sum(1, true));
                   });
  const std::int64_t columns = classes.values.max().item<std::int64_t>() + 1;
  return at::zeros({m, columns}, shares.options()).index_copy_(1, classes.values, shares);
}

}  // namespace metrics

NeighbourScores neighbour_scores(const at::Tensor& z, const at::Tensor& labels, std::int64_t k,
                                 const std::optional<at::Tensor>& groups) {
  return metrics::neighbour_scores_in_tiles(z, labels, k, groups);
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
