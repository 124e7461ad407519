#include <ATen/ATen.h>

#include <algorithm>
#include <vector>

#include "core/checks.h"
#include "metrics/distances.h"
#include "metrics/inputs.h"

namespace stainfold {
namespace metrics {

at::Tensor silhouette_in_blocks(const at::Tensor& z, const at::Tensor& labels, Distance distance,
                                std::int64_t block_rows) {
  const at::Tensor points = finite_matrix(z, "z");
  if (block_rows == 0) block_rows = default_block_rows(points.size(0));
  const Classes classes = classes_of(checked_labels(labels, "labels", points.size(0)).to(points.device()));
  check_option(classes.count >= 2,
               "silhouette needs at least two labels, got " + std::to_string(classes.count));

  // Rows sorted by cluster: a cluster's distances are then one slice of the block, whatever the number of
  // clusters.
  const at::Tensor order = at::argsort(classes.index, /*stable=*/true, /*dim=*/0, /*descending=*/false);
  const at::Tensor cluster = classes.index.index_select(0, order);
  const PairwiseDistances distances(points.index_select(0, order), distance);
  const at::Tensor counts = classes.counts.to(at::kDouble);
  const at::Tensor sizes_cpu = classes.counts.cpu();
  const std::vector<std::int64_t> sizes(sizes_cpu.data_ptr<std::int64_t>(),
                                        sizes_cpu.data_ptr<std::int64_t>() + classes.count);

  at::Tensor sorted = at::empty({points.size(0)}, points.options());
  for (std::int64_t begin = 0; begin < points.size(0); begin += block_rows) {
    const std::int64_t end = std::min(begin + block_rows, points.size(0));
    const at::Tensor block = distances.block(begin, end);
    at::Tensor mean = at::empty({end - begin, classes.count}, points.options());  // to every cluster
    std::int64_t first = 0;
    for (std::int64_t c = 0; c < classes.count; first += sizes[c++]) {
      mean.select(1, c).copy_(block.slice(1, first, first + sizes[c]).sum(1));
    }
    const at::Tensor own = cluster.slice(0, begin, end).unsqueeze(1);     // [b,1]
    const at::Tensor own_count = counts.index_select(0, own.squeeze(1));  // [b]
    // A row is not its own neighbour: its cluster's mean is over count - 1 rows.
    const at::Tensor inside = mean.gather(1, own).squeeze(1) / (own_count - 1).clamp_min(1);
    mean.div_(counts).scatter_(1, own, std::numeric_limits<double>::infinity());
    const at::Tensor nearest = mean.amin(1);
    const at::Tensor larger = at::maximum(inside, nearest);
    const at::Tensor undefined = (own_count == 1).logical_or(larger == 0);
    sorted.slice(0, begin, end).copy_(((nearest - inside) / larger).masked_fill(undefined, 0.0));
  }
  return at::empty_like(sorted).index_copy_(0, order, sorted);
}

}  // namespace metrics

at::Tensor silhouette_samples(const at::Tensor& z, const at::Tensor& labels, Distance distance) {
  return metrics::silhouette_in_blocks(z, labels, distance);
}

}  // namespace stainfold
