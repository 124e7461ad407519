// The same tissue in another batch: is it the nearest tile there?
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

struct BatchRows {
  at::Tensor points;  // [n,d] of unit length, sorted by pair
  at::Tensor pairs;   // [n] int64, ascending
};

std::vector<BatchRows> split_by_batch(const at::Tensor& unit, const Classes& batches,
                                      const at::Tensor& pairs) {
  std::vector<BatchRows> parts;
  for (std::int64_t batch = 0; batch < batches.count; ++batch) {
    const at::Tensor rows = (batches.index == batch).nonzero().squeeze(1);
    const auto [sorted, order] = pairs.index_select(0, rows).sort(/*stable=*/true, 0, false);
    parts.push_back({unit.index_select(0, rows.index_select(0, order)), sorted});
  }
  return parts;
}

// Distance of each query to the nearest row of the gallery with its pair, infinity where there is none.
at::Tensor partner_distance(const at::Tensor& points, const at::Tensor& pairs, const BatchRows& gallery) {
  const at::Tensor first = at::searchsorted(gallery.pairs, pairs);
  const at::Tensor count = at::searchsorted(gallery.pairs, pairs, false, /*right=*/true) - first;
  at::Tensor nearest = at::full({points.size(0)}, std::numeric_limits<double>::infinity(), points.options());
  const auto most = count.max().item<std::int64_t>();
  for (std::int64_t nth = 0; nth < most; ++nth) {
    const at::Tensor has = count > nth;
    const at::Tensor row = (first + nth).clamp_max(gallery.pairs.size(0) - 1);
    const at::Tensor distance = 1 - (points * gallery.points.index_select(0, row)).sum(1);
    nearest = at::where(has, at::minimum(nearest, distance), nearest);
  }
  return nearest;
}

// How many rows of the gallery that are not its partners are as near to each query as its partner, or nearer.
// Ties count against the query: where all rows are alike, nothing was found.
at::Tensor rivals(const at::Tensor& points, const at::Tensor& pairs, const at::Tensor& partner,
                  const BatchRows& gallery, std::int64_t columns) {
  constexpr double tie = 0x1p-40;
  at::Tensor count = at::zeros({points.size(0)}, pairs.options());
  const at::Tensor to_beat = (1 - partner - tie).unsqueeze(1);  // as a cosine
  for (std::int64_t first = 0; first < gallery.pairs.size(0); first += columns) {
    const std::int64_t last = std::min(first + columns, gallery.pairs.size(0));
    const at::Tensor tile = at::mm(points, gallery.points.slice(0, first, last).t());
    at::Tensor nearer = tile >= to_beat;
    nearer.logical_and_(gallery.pairs.slice(0, first, last).unsqueeze(0) != pairs.unsqueeze(1));
    count.add_(nearer.sum(1));
  }
  return count;
}

}  // namespace

Retrieval retrieve_in_tiles(const at::Tensor& z, const at::Tensor& batches, const at::Tensor& pairs,
                            std::int64_t side) {
  const at::Tensor points = finite_matrix(z, "z");
  const std::int64_t n = points.size(0);
  const Classes of_batch = classes_of(checked_labels(batches, "batches", n).to(points.device()));
  check_option(of_batch.count >= 2,
               "retrieval needs at least two batches, got " + std::to_string(of_batch.count));
  const at::Tensor ids = checked_labels(pairs, "pairs", n).to(points.device());
  const std::vector<BatchRows> parts = split_by_batch(unit_rows(points), of_batch, ids);
  const Tiling tiles = tiling(side);

  const auto table = [&] { return at::zeros({of_batch.count, of_batch.count}, at::kDouble); };
  Retrieval result{table(), table(), table(), table()};
  for (std::int64_t from = 0; from < of_batch.count; ++from) {
    for (std::int64_t to = 0; to < of_batch.count; ++to) {
      if (from == to) continue;
      const at::Tensor partner = partner_distance(parts[from].points, parts[from].pairs, parts[to]);
      const at::Tensor asked = at::isfinite(partner).nonzero().squeeze(1);
      double first_hit = 0, fifth_hit = 0;
      for (std::int64_t begin = 0; begin < asked.size(0); begin += tiles.rows) {
        check_interrupt();
        const at::Tensor rows = asked.slice(0, begin, std::min(begin + tiles.rows, asked.size(0)));
        const at::Tensor before =
            rivals(parts[from].points.index_select(0, rows), parts[from].pairs.index_select(0, rows),
                   partner.index_select(0, rows), parts[to], tiles.columns);
        first_hit += (before < 1).sum().item<double>();
        fifth_hit += (before < 5).sum().item<double>();
      }
      const auto queries = static_cast<double>(asked.size(0));
      result.queries[from][to] = queries;
      result.gallery[from][to] = static_cast<double>(parts[to].pairs.size(0));
      result.top1[from][to] = first_hit;
      result.top5[from][to] = fifth_hit;
    }
  }
  return result;
}

}  // namespace metrics

Retrieval retrieve(const at::Tensor& z, const at::Tensor& batches, const at::Tensor& pairs) {
  return metrics::retrieve_in_tiles(z, batches, pairs);
}

}  // namespace stainfold
