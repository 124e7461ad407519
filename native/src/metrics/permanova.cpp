// Anderson 2001: the share of the scatter that lies between batches, and whether chance would leave as much.
#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>

#include <algorithm>
#include <limits>
#include <vector>

#include "core/checks.h"
#include "core/interrupt.h"
#include "metrics/inputs.h"
#include "stainfold/metrics.h"

namespace stainfold {
namespace {

using metrics::checked_labels;
using metrics::Classes;
using metrics::classes_of;

// What is exchanged by a permutation: rows, or whole groups of them.
struct Units {
  at::Tensor sums;   // [U,d] of centred rows
  at::Tensor sizes;  // [U]
  at::Tensor batch;  // [U] int64
};

// Groups are the units where each lies within one batch; a group that reaches across cannot be moved as a
// whole.
Units units_of(const at::Tensor& centred, const Classes& batches, const std::optional<at::Tensor>& groups) {
  const std::int64_t n = centred.size(0);
  const Units rows{centred, at::ones({n}, centred.options()), batches.index};
  if (!groups) return rows;
  const Classes of = classes_of(checked_labels(*groups, "groups", n).to(centred.device()));
  const Classes crossed = classes_of(of.index * batches.count + batches.index);
  if (crossed.count != of.count) return rows;
  const at::Tensor sums = at::zeros({of.count, centred.size(1)}, centred.options());
  return {sums.index_add(0, of.index, centred), of.counts.to(at::kDouble),
          crossed.values.remainder(batches.count)};
}

// SS_between = sum over batches of |sum of centred rows|^2 / size, for `count` assignments at once.
at::Tensor between(const Units& units, const at::Tensor& assignments, std::int64_t batches) {  // [p,U] -> [p]
  const std::int64_t p = assignments.size(0), u = assignments.size(1);
  at::Tensor member = at::zeros({p, batches, u}, units.sums.options());
  member.scatter_(1, assignments.unsqueeze(1), 1.0);
  const at::Tensor sums = at::mm(member.view({p * batches, u}), units.sums).square().sum(1);
  const at::Tensor sizes = at::mv(member.view({p * batches, u}), units.sizes);
  return (sums / sizes).view({p, batches}).sum(1);
}

}  // namespace

Permanova permanova(const at::Tensor& z, const at::Tensor& labels, const std::optional<at::Tensor>& groups,
                    std::int64_t permutations, std::uint64_t seed) {
  const at::Tensor rows = metrics::finite_matrix(z, "z");
  const std::int64_t n = rows.size(0);
  const Classes batches = classes_of(checked_labels(labels, "labels", n).to(rows.device()));
  check_option(batches.count >= 2 && batches.count < n,
               "variance between batches needs two batches, and more rows than batches, got " +
                   std::to_string(batches.count) + " batches of " + std::to_string(n) + " rows");
  check_option(permutations >= 0, "permutations must not be negative, got " + std::to_string(permutations));

  const at::Tensor centred = rows - rows.mean(0);
  const double total = centred.square().sum().item<double>();
  const Units units = units_of(centred, batches, groups);
  const double observed = between(units, units.batch.unsqueeze(0), batches.count)[0].item<double>();
  const double undefined = std::numeric_limits<double>::quiet_NaN();
  if (total <= 0) return {undefined, undefined, undefined, units.sizes.size(0)};
  const double within = std::max(total - observed, 0.0);
  const double f =
      (observed / static_cast<double>(batches.count - 1)) / (within / static_cast<double>(n - batches.count));

  // F rises with SS_between, so that comparing the latter is enough. Equal within rounding counts as reached.
  at::Generator generator = at::make_generator<at::CPUGeneratorImpl>(seed);
  const std::int64_t u = units.sizes.size(0);
  const std::int64_t at_once = std::max<std::int64_t>(1, (4 << 20) / (u * batches.count));
  std::int64_t reached = 0;
  for (std::int64_t done = 0; done < permutations; done += at_once) {
    check_interrupt();
    std::vector<at::Tensor> assignments;
    for (std::int64_t i = done; i < std::min(done + at_once, permutations); ++i) {
      const at::Tensor order = at::randperm(u, generator, at::kLong).to(rows.device());
      assignments.push_back(units.batch.index_select(0, order));
    }
    const at::Tensor drawn = between(units, at::stack(assignments), batches.count);
    reached += (drawn >= observed * (1 - 1e-12)).sum().item<std::int64_t>();
  }
  const double p = permutations == 0
                       ? undefined
                       : static_cast<double>(reached + 1) / static_cast<double>(permutations + 1);
  return {observed / total, f, p, u};
}

}  // namespace stainfold
