#include <ATen/ATen.h>

#include <algorithm>
#include <limits>
#include <vector>

#include "core/checks.h"
#include "core/interrupt.h"
#include "metrics/distances.h"
#include "metrics/inputs.h"

namespace stainfold {
namespace metrics {
namespace {

// Rows sorted by cluster: a cluster is then one stretch of the columns, whatever the number of clusters.
struct Clustered {
  at::Tensor order;                 // [N] int64: which row stands where
  at::Tensor points;                // [N,d] sorted
  at::Tensor cluster;               // [N] int64, ascending
  at::Tensor counts;                // [C] float64
  std::vector<std::int64_t> first;  // [C+1]
};

Clustered sort_by_cluster(const at::Tensor& points, const Classes& classes) {
  Clustered sorted;
  sorted.order = at::argsort(classes.index, /*stable=*/true, /*dim=*/0, /*descending=*/false);
  sorted.points = points.index_select(0, sorted.order);
  sorted.cluster = classes.index.index_select(0, sorted.order);
  sorted.counts = classes.counts.to(at::kDouble);
  const at::Tensor sizes = classes.counts.cpu();
  sorted.first.assign(classes.count + 1, 0);
  for (std::int64_t c = 0; c < classes.count; ++c) {
    sorted.first[c + 1] = sorted.first[c] + sizes.data_ptr<std::int64_t>()[c];
  }
  return sorted;
}

// Sums of the distances of rows [begin, end) to every cluster, from tiles.
at::Tensor distance_sums(const PairwiseDistances& distances, const Clustered& sorted, std::int64_t begin,
                         std::int64_t end, std::int64_t columns) {
  const auto clusters = static_cast<std::int64_t>(sorted.first.size()) - 1;
  at::Tensor sums = at::zeros({end - begin, clusters}, sorted.points.options());
  std::int64_t c = 0;
  for (std::int64_t first = 0; first < distances.rows(); first += columns) {
    const std::int64_t last = std::min(first + columns, distances.rows());
    const at::Tensor tile = distances.tile(begin, end, first, last);
    while (sorted.first[c + 1] <= first) ++c;
    for (std::int64_t k = c; k < clusters && sorted.first[k] < last; ++k) {
      const std::int64_t from = std::max(sorted.first[k], first), to = std::min(sorted.first[k + 1], last);
      sums.select(1, k).add_(tile.slice(1, from - first, to - first).sum(1));
    }
  }
  return sums;
}

// The sum of 1 - x.y over a cluster is its size - x.(sum of y): no pair is ever looked at.
class CosineSums {
 public:
  explicit CosineSums(const Clustered& sorted) : unit_(unit_rows(sorted.points)), counts_(sorted.counts) {
    totals_ = at::empty({counts_.size(0), unit_.size(1)}, unit_.options());
    for (std::int64_t c = 0; c < counts_.size(0); ++c) {
      totals_.select(0, c).copy_(unit_.slice(0, sorted.first[c], sorted.first[c + 1]).sum(0));
    }
  }

  at::Tensor rows(std::int64_t begin, std::int64_t end, const at::Tensor& own) const {  // own: [b,1]
    const at::Tensor unit = unit_.slice(0, begin, end);
    at::Tensor sums = at::addmm(counts_.unsqueeze(0), unit, totals_.t(), 1, -1);
    // A row is at 0 from itself; the sum counted 1 - x.x, which is 1 for a zero row.
    sums.scatter_add_(1, own, unit.square().sum(1, true).sub_(1));
    // 1e-13 times the terms is rounding: rows that point alike are at 0.
    return sums.masked_fill_(sums <= counts_ * 1e-13, 0.0);
  }

 private:
  at::Tensor unit_, counts_, totals_;
};

}  // namespace

at::Tensor silhouette_in_tiles(const at::Tensor& z, const at::Tensor& labels, Distance distance,
                               std::int64_t side) {
  const at::Tensor points = finite_matrix(z, "z");
  const Classes classes = classes_of(checked_labels(labels, "labels", points.size(0)).to(points.device()));
  check_option(classes.count >= 2,
               "silhouette needs at least two labels, got " + std::to_string(classes.count));
  const Clustered sorted = sort_by_cluster(points, classes);
  const bool by_angle = distance == Distance::cosine;
  const PairwiseDistances distances(by_angle ? sorted.points.slice(0, 0, 1) : sorted.points, distance);
  const CosineSums cosine(sorted);
  const Tiling tiles = tiling(side);

  at::Tensor samples = at::empty({points.size(0)}, points.options());
  for (std::int64_t begin = 0; begin < points.size(0); begin += tiles.rows) {
    check_interrupt();
    const std::int64_t end = std::min(begin + tiles.rows, points.size(0));
    const at::Tensor own = sorted.cluster.slice(0, begin, end).unsqueeze(1);     // [b,1]
    const at::Tensor own_count = sorted.counts.index_select(0, own.squeeze(1));  // [b]
    at::Tensor mean = by_angle ? cosine.rows(begin, end, own)
                               : distance_sums(distances, sorted, begin, end, tiles.columns);  // [b,C]
    // A row is not its own neighbour: its cluster's mean is over count - 1 rows.
    const at::Tensor inside = mean.gather(1, own).squeeze(1) / (own_count - 1).clamp_min(1);
    mean.div_(sorted.counts).scatter_(1, own, std::numeric_limits<double>::infinity());
    const at::Tensor nearest = mean.amin(1);
    const at::Tensor larger = at::maximum(inside, nearest);
    const at::Tensor undefined = (own_count == 1).logical_or(larger == 0);
    samples.slice(0, begin, end).copy_(((nearest - inside) / larger).masked_fill(undefined, 0.0));
  }
  return at::empty_like(samples).index_copy_(0, sorted.order, samples);
}

}  // namespace metrics

at::Tensor silhouette_samples(const at::Tensor& z, const at::Tensor& labels, Distance distance) {
  return metrics::silhouette_in_tiles(z, labels, distance);
}

}  // namespace stainfold
