// Scores of resamples that draw whole clusters (patients, slides) with replacement: tiles of one patient are
// not independent, and an interval that takes them for it is too narrow.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <numeric>
#include <vector>

#include "core/checks.h"
#include "metrics/inputs.h"
#include "stainfold/metrics.h"

namespace stainfold {
namespace {

using metrics::checked_labels;
using metrics::Classes;
using metrics::classes_of;

using Indices = std::vector<std::int64_t>;
using Weights = std::vector<double>;

Indices host(const at::Tensor& indices) {
  const at::Tensor values = indices.cpu().contiguous();
  return {values.data_ptr<std::int64_t>(), values.data_ptr<std::int64_t>() + values.numel()};
}

// SplitMix64 (Steele, Lea and Flood 2014): resample r is a function of (seed, r).
std::uint64_t mixed(std::uint64_t state) {
  state = (state ^ (state >> 30)) * 0xbf58476d1ce4e5b9ULL;
  state = (state ^ (state >> 27)) * 0x94d049bb133111ebULL;
  return state ^ (state >> 31);
}

// How often each of `clusters` is in resample r; they sum to their number.
Weights draw_clusters(std::int64_t clusters, std::uint64_t seed, std::int64_t r) {
  Weights weights(clusters, 0.0);
  std::uint64_t state = mixed(mixed(seed + 0x9e3779b97f4a7c15ULL) + static_cast<std::uint64_t>(r));
  for (std::int64_t i = 0; i < clusters; ++i) {
    state += 0x9e3779b97f4a7c15ULL;
    ++weights[mixed(state) % static_cast<std::uint64_t>(clusters)];
  }
  return weights;
}

// The rows in ascending order of their score for one class.
struct Ranking {
  Indices cluster;
  std::vector<char> positive, last_of_level;
};

Ranking rank_rows(const double* scores, std::int64_t classes, std::int64_t of, const Indices& truth,
                  const Indices& cluster) {
  const std::size_t n = truth.size();
  std::vector<std::size_t> order(n);
  std::iota(order.begin(), order.end(), 0);
  const auto score = [&](std::size_t row) { return scores[row * classes + of]; };
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return score(a) < score(b); });
  Ranking ranking;
  for (std::size_t i = 0; i < n; ++i) {
    ranking.cluster.push_back(cluster[order[i]]);
    ranking.positive.push_back(truth[order[i]] == of);
    ranking.last_of_level.push_back(i + 1 == n || score(order[i + 1]) != score(order[i]));
  }
  return ranking;
}

// Area under the curve of weighted rows, ties half; NaN when one class has no weight.
double weighted_auroc(const Ranking& ranking, const Weights& weights) {
  double won = 0, below = 0, positives = 0, level_positive = 0, level_negative = 0;
  for (std::size_t i = 0; i < ranking.cluster.size(); ++i) {
    (ranking.positive[i] ? level_positive : level_negative) += weights[ranking.cluster[i]];
    if (!ranking.last_of_level[i]) continue;
    won += level_positive * (below + level_negative / 2);
    below += level_negative;
    positives += level_positive;
    level_positive = level_negative = 0;
  }
  const double all = positives * below;
  return all > 0 ? won / all : std::numeric_limits<double>::quiet_NaN();
}

struct Decided {
  Indices predicted, truth, cluster;
  std::int64_t classes;
};

// Mean recall over the classes that occur, and mean F1 over those that occur or are predicted.
void score_decisions(const Decided& rows, const Weights& weights, double* out) {
  Weights truth(rows.classes, 0), predicted(rows.classes, 0), hits(rows.classes, 0);
  for (std::size_t i = 0; i < rows.truth.size(); ++i) {
    const double weight = weights[rows.cluster[i]];
    truth[rows.truth[i]] += weight;
    predicted[rows.predicted[i]] += weight;
    if (rows.truth[i] == rows.predicted[i]) hits[rows.truth[i]] += weight;
  }
  double recall = 0, f1 = 0;
  int occurring = 0, either = 0;
  for (std::int64_t c = 0; c < rows.classes; ++c) {
    if (truth[c] > 0) recall += hits[c] / truth[c], ++occurring;
    if (truth[c] + predicted[c] > 0) f1 += 2 * hits[c] / (truth[c] + predicted[c]), ++either;
  }
  out[0] = recall / occurring;
  out[1] = f1 / either;
}

double pairs_within(const Weights& counts) {
  double sum = 0;
  for (const double n : counts) sum += n * (n - 1) / 2;
  return sum;
}

Indices cluster_index(const at::Tensor& clusters, std::int64_t rows, std::int64_t& count) {
  const Classes of = classes_of(checked_labels(clusters, "clusters", rows));
  count = of.count;
  return host(of.index);
}

}  // namespace

at::Tensor bootstrap_scores(const at::Tensor& scores, const at::Tensor& truth, const at::Tensor& clusters,
                            std::int64_t resamples, std::uint64_t seed) {
  const at::Tensor values = metrics::finite_matrix(scores, "scores").cpu();
  const std::int64_t n = values.size(0), classes = values.size(1);
  check_option(classes >= 2,
               "scores must have a column for each of at least two classes, got " + std::to_string(classes));
  check_option(resamples >= 1, "resamples must be at least 1, got " + std::to_string(resamples));
  const auto largest = checked_labels(truth, "truth", n).max().item<std::int64_t>();
  check_option(largest < classes, "truth must be below the number of classes, " + std::to_string(classes) +
                                      ", got " + std::to_string(largest));
  Decided rows{host(values.argmax(1)), host(truth), {}, classes};
  std::int64_t count = 0;
  rows.cluster = cluster_index(clusters, n, count);
  std::vector<Ranking> rankings;
  for (std::int64_t c = classes == 2 ? 1 : 0; c < classes; ++c) {
    rankings.push_back(rank_rows(values.data_ptr<double>(), classes, c, rows.truth, rows.cluster));
  }

  at::Tensor result = at::empty({resamples, 3}, at::kDouble);
  double* const out = result.data_ptr<double>();
  at::parallel_for(0, resamples, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t r = begin; r < end; ++r) {
      const Weights weights = draw_clusters(count, seed, r);
      score_decisions(rows, weights, out + 3 * r);
      double sum = 0;
      int defined = 0;
      for (const Ranking& ranking : rankings) {
        const double area = weighted_auroc(ranking, weights);
        if (area == area) sum += area, ++defined;
      }
      out[3 * r + 2] = sum / defined;  // NaN where no class has both sides
    }
  });
  return result;
}

at::Tensor bootstrap_rand_index(const at::Tensor& a, const at::Tensor& b, const at::Tensor& clusters,
                                std::int64_t resamples, std::uint64_t seed) {
  check_shape(a, "a", {-1});
  const std::int64_t n = a.size(0);
  check_option(resamples >= 1, "resamples must be at least 1, got " + std::to_string(resamples));
  const Classes first = classes_of(checked_labels(a, "a", n).cpu());
  const Classes second = classes_of(checked_labels(b, "b", n).cpu());
  const Classes both = classes_of(first.index * second.count + second.index);
  const Indices of_first = host(first.index), of_second = host(second.index), of_both = host(both.index);
  std::int64_t count = 0;
  const Indices cluster = cluster_index(clusters, n, count);

  at::Tensor result = at::empty({resamples}, at::kDouble);
  double* const out = result.data_ptr<double>();
  at::parallel_for(0, resamples, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t r = begin; r < end; ++r) {
      const Weights weights = draw_clusters(count, seed, r);
      Weights in_first(first.count, 0), in_second(second.count, 0), in_both(both.count, 0);
      double rows = 0;
      for (std::int64_t i = 0; i < n; ++i) {
        const double weight = weights[cluster[i]];
        in_first[of_first[i]] += weight;
        in_second[of_second[i]] += weight;
        in_both[of_both[i]] += weight;
        rows += weight;
      }
      const double together = pairs_within(in_both), x = pairs_within(in_first), y = pairs_within(in_second);
      const double expected = x * y / (rows * (rows - 1) / 2), most = (x + y) / 2;
      out[r] = most == expected ? 1.0 : (together - expected) / (most - expected);
    }
  });
  return result;
}

}  // namespace stainfold
