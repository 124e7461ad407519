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

// Indices of the k nearest other rows of each row of the block, in index order. topk may return any of
// equally distant rows; here the smaller index wins, so that the result is a function of the input alone.
at::Tensor nearest_in_block(const PairwiseDistances& distances, std::int64_t begin, std::int64_t end,
                            std::int64_t k) {
  at::Tensor block = distances.block(begin, end);
  // Equal to about 12 digits is a tie: the last bits depend on where a row lies within the matrix product.
  block.mul_(0x1p40).round_();
  block.diagonal(begin).fill_(std::numeric_limits<double>::infinity());
  const at::Tensor farthest =
      std::get<0>(block.topk(k, /*dim=*/1, /*largest=*/false, /*sorted=*/false)).amax(1, true);
  const at::Tensor nearer = block < farthest;
  const at::Tensor tied = block == farthest;
  const at::Tensor room = k - nearer.sum(1, true);
  const at::Tensor chosen = nearer.logical_or_(tied.logical_and(tied.cumsum(1, at::kInt) <= room));
  return chosen.nonzero().select(1, 1).reshape({end - begin, k});
}

// How often each class occurs among the neighbours: visit(begin, end, [b,C] float64).
void for_each_vote(
    const at::Tensor& points, const Classes& classes, std::int64_t k, std::int64_t block_rows,
    const std::function<void(std::int64_t begin, std::int64_t end, const at::Tensor& votes)>& visit) {
  const PairwiseDistances distances(points, Distance::cosine);
  for (std::int64_t begin = 0; begin < points.size(0); begin += block_rows) {
    const std::int64_t end = std::min(begin + block_rows, points.size(0));
    const at::Tensor neighbours = nearest_in_block(distances, begin, end, k);
    const at::Tensor labels = classes.index.index_select(0, neighbours.flatten()).view_as(neighbours);
    at::Tensor votes = at::zeros({end - begin, classes.count}, points.options());
    votes.scatter_add_(1, labels, at::ones_like(labels, points.options()));
    visit(begin, end, votes);
  }
}

void check_k(std::int64_t k, std::int64_t rows) {
  check_option(k >= 1 && k < rows, "k must be at least 1 and below the number of rows, " +
                                       std::to_string(rows) + ", got " + std::to_string(k));
}

}  // namespace

at::Tensor knn_predict_in_blocks(const at::Tensor& z, const at::Tensor& labels, std::int64_t k,
                                 std::int64_t block_rows) {
  const at::Tensor points = finite_matrix(z, "z");
  if (block_rows == 0) block_rows = default_block_rows(points.size(0));
  const Classes classes = classes_of(checked_labels(labels, "labels", points.size(0)).to(points.device()));
  check_k(k, points.size(0));
  // argmax leaves open which of equal votes it returns: vote * C - class has one maximum, the smaller label.
  const at::Tensor rank = at::arange(classes.count, points.options());
  at::Tensor predicted = at::empty({points.size(0)}, classes.values.options());
  for_each_vote(points, classes, k, block_rows,
                [&](std::int64_t begin, std::int64_t end, const at::Tensor& votes) {
                  const at::Tensor winner = (votes * static_cast<double>(classes.count) - rank).argmax(1);
                  predicted.slice(0, begin, end).copy_(classes.values.index_select(0, winner));
                });
  return predicted;
}

double lisi_in_blocks(const at::Tensor& z, const at::Tensor& labels, std::int64_t k,
                      std::int64_t block_rows) {
  const at::Tensor points = finite_matrix(z, "z");
  if (block_rows == 0) block_rows = default_block_rows(points.size(0));
  const Classes classes = classes_of(checked_labels(labels, "labels", points.size(0)).to(points.device()));
  check_k(k, points.size(0));
  double sum = 0;
  for_each_vote(points, classes, k, block_rows, [&](std::int64_t, std::int64_t, const at::Tensor& votes) {
    sum += (votes / static_cast<double>(k)).square().sum(1).reciprocal().sum().item<double>();
  });
  return sum / static_cast<double>(points.size(0));
}

}  // namespace metrics

at::Tensor knn_predict(const at::Tensor& z, const at::Tensor& labels, std::int64_t k) {
  return metrics::knn_predict_in_blocks(z, labels, k);
}

double lisi(const at::Tensor& z, const at::Tensor& labels, std::int64_t k) {
  return metrics::lisi_in_blocks(z, labels, k);
}

}  // namespace stainfold
