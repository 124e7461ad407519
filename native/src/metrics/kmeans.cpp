// Lloyd's k-means from k-means++ seeds (Arthur and Vassilvitskii 2007).
#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "core/checks.h"
#include "core/interrupt.h"
#include "metrics/inputs.h"
#include "stainfold/metrics.h"

namespace stainfold {
namespace {

constexpr int restarts = 5;
constexpr int most_rounds = 200;
constexpr double least_gain = 1e-4;  // of the inertia in a round: less, and the clusters stand
constexpr std::int64_t rows_at_once = 8192;

struct Assignment {
  at::Tensor cluster;   // [N] int64
  at::Tensor distance;  // [N] squared, to the own centre
};

Assignment assign(const at::Tensor& points, const at::Tensor& squares, const at::Tensor& centres) {
  const at::Tensor offset = centres.square().sum(1).unsqueeze(0);
  Assignment all{at::empty({points.size(0)}, points.options().dtype(at::kLong)), at::empty_like(squares)};
  for (std::int64_t begin = 0; begin < points.size(0); begin += rows_at_once) {
    const std::int64_t end = std::min(begin + rows_at_once, points.size(0));
    const auto [least, cluster] = at::addmm(offset, points.slice(0, begin, end), centres.t(), 1, -2).min(1);
    all.cluster.slice(0, begin, end).copy_(cluster);
    all.distance.slice(0, begin, end).copy_(least.add(squares.slice(0, begin, end)).clamp_min_(0));
  }
  return all;
}

// Each next centre is a row drawn with the weight of its squared distance to the centres so far.
at::Tensor first_centres(const at::Tensor& points, const at::Tensor& squares, std::int64_t clusters,
                         at::Generator generator) {
  const std::int64_t n = points.size(0);
  at::Tensor chosen = at::empty({clusters}, points.options().dtype(at::kLong));
  const at::Tensor draws = at::rand({clusters}, generator, at::kDouble).to(points.device());
  chosen[0] = (draws[0] * n).to(at::kLong).clamp_max(n - 1);
  at::Tensor nearest = assign(points, squares, points.index_select(0, chosen.slice(0, 0, 1))).distance;
  for (std::int64_t c = 1; c < clusters; ++c) {
    // A row that is a centre already has weight 0; where all have, any row will do.
    const at::Tensor reach = nearest.cumsum(0);
    chosen[c] =
        at::searchsorted(reach, (draws[c] * reach[-1]).unsqueeze(0), false, /*right=*/true)[0].clamp_max(n -
                                                                                                         1);
    const at::Tensor centre = points.index_select(0, chosen.slice(0, c, c + 1));
    nearest = at::minimum(nearest, assign(points, squares, centre).distance);
  }
  return points.index_select(0, chosen);
}

// Means of the clusters. One without rows takes the row that is farthest from its own centre.
at::Tensor next_centres(const at::Tensor& points, const Assignment& now, std::int64_t clusters) {
  at::Tensor sums = at::zeros({clusters, points.size(1)}, points.options());
  const at::Tensor counts = at::bincount(now.cluster, {}, clusters).to(at::kDouble);
  for (std::int64_t begin = 0; begin < points.size(0); begin += rows_at_once) {
    const std::int64_t end = std::min(begin + rows_at_once, points.size(0));
    at::Tensor member = at::zeros({clusters, end - begin}, points.options());
    member.scatter_(0, now.cluster.slice(0, begin, end).unsqueeze(0), 1.0);
    sums.addmm_(member, points.slice(0, begin, end));
  }
  const at::Tensor empty = (counts == 0).nonzero().squeeze(1);
  sums.div_(counts.clamp_min(1).unsqueeze(1));
  if (empty.size(0) > 0) {
    const at::Tensor farthest = std::get<1>(now.distance.topk(empty.size(0)));
    sums.index_copy_(0, empty, points.index_select(0, farthest));
  }
  return sums;
}

}  // namespace

at::Tensor kmeans(const at::Tensor& z, std::int64_t clusters, std::uint64_t seed) {
  const at::Tensor rows = metrics::finite_matrix(z, "z");
  check_option(clusters >= 1 && clusters <= rows.size(0), "clusters must be from 1 to the number of rows, " +
                                                              std::to_string(rows.size(0)) + ", got " +
                                                              std::to_string(clusters));
  const at::Tensor points = rows - rows.mean(0);
  const at::Tensor squares = points.square().sum(1);
  const at::Generator generator = at::make_generator<at::CPUGeneratorImpl>(seed);
  at::Tensor best;
  double least = std::numeric_limits<double>::infinity();
  for (int restart = 0; restart < restarts; ++restart) {
    at::Tensor centres = first_centres(points, squares, clusters, generator);
    Assignment now = assign(points, squares, centres);
    double inertia = now.distance.sum().item<double>();
    for (int round = 0; round < most_rounds; ++round) {
      check_interrupt();
      now = assign(points, squares, next_centres(points, now, clusters));
      const double before = std::exchange(inertia, now.distance.sum().item<double>());
      if (before - inertia <= least_gain * before) break;
    }
    if (inertia < least) least = inertia, best = now.cluster;
  }
  return best;
}

}  // namespace stainfold
