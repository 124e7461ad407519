// The compaction loss on the CPU: blocks of rows against blocks of columns, worked on by LibTorch's
// vectorised and threaded kernels, the products among them.
#include <ATen/Dispatch.h>
#include <ATen/ops/amax.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/exp.h>
#include <ATen/ops/full.h>
#include <ATen/ops/linalg_vector_norm.h>
#include <ATen/ops/maximum.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/ones_like.h>
#include <ATen/ops/sub.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>
#include <c10/core/impl/LocalDispatchKeySet.h>
#include <torch/library.h>

#include <algorithm>
#include <limits>
#include <vector>

#include "ops/compaction.h"
#include "ops/compaction_math.h"

namespace stainfold::ops {
namespace {

using at::Tensor;
using compaction::Row;

// A block of s is large enough that starting threads for each of its operations costs little, and 2 MiB of
// float32 stay in a shared cache.
constexpr std::int64_t row_block = 512;
constexpr std::int64_t column_block = 1024;

// Neither gradients nor autocast reach into the blocks.
struct KernelScope {
  at::AutoDispatchBelowADInplaceOrView below_autograd;
  c10::impl::ExcludeDispatchKeyGuard without_autocast{c10::autocast_dispatch_keyset};
};

// zn = z / |z| of every row, scaled by the row's largest entry first so that squares neither overflow nor
// vanish.
struct Normalised {
  Tensor zn;            // [M,d]
  Tensor inverse_norm;  // [M,1], 0 for a zero row
};

Normalised normalise(const Tensor& z) {
  const Tensor largest = z.abs().amax({1}, true);
  const Tensor zero = largest < compaction::zero_row;  // false for NaN, which goes on to the loss
  const Tensor divisor = largest.masked_fill(zero, 1);
  const Tensor scaled = z / divisor;
  const Tensor norm = at::linalg_vector_norm(scaled, 2, {1}, true).masked_fill_(zero, 1);
  return {(scaled / norm).masked_fill_(zero, 0), (divisor * norm).reciprocal_().masked_fill_(zero, 0)};
}

struct Range {
  std::int64_t first, count;
};

// Everything that a block of s is computed from.
struct Problem {
  // s = left right^T: two more columns carry -|zn_i|^2 / (2 temperature) and -|zn_j|^2 / (2 temperature).
  Tensor left, right;     // [M,d+2]
  Tensor zn;              // [M,d], a view of right
  Tensor inverse_norm;    // [M,1]
  std::vector<Row> rows;  // [M]
  std::int64_t tiles;
  bool grouped;

  Problem(const Tensor& z, std::int64_t tiles, double temperature, const std::optional<Tensor>& group)
      : tiles(tiles), grouped(group.has_value() && group->defined()) {
    const Normalised n = normalise(z.detach());
    inverse_norm = n.inverse_norm;
    const Tensor half = inverse_norm.ne(0).to(z.scalar_type()).mul_(-0.5 / temperature);
    const Tensor one = at::ones_like(half);
    left = at::cat({n.zn / temperature, half, one}, 1);
    right = at::cat({n.zn, one, half}, 1);
    zn = right.narrow(1, 0, z.size(1));
    const std::int64_t* groups = grouped ? group->const_data_ptr<std::int64_t>() : nullptr;
    rows.reserve(z.size(0));
    for (std::int64_t i = 0; i < z.size(0); ++i) {
      rows.push_back(
          compaction::row_at(static_cast<std::int32_t>(i), static_cast<std::int32_t>(tiles), groups));
    }
  }

  std::int64_t size() const { return static_cast<std::int64_t>(rows.size()); }

  double positives(std::int64_t row) const {
    return compaction::positives(static_cast<std::int32_t>(size()), static_cast<std::int32_t>(tiles),
                                 rows[row].tile);
  }

  // Calls use(row in block, column in block, row's index) for every positive pair of the block.
  template <typename Use>
  void each_positive(Range r, Range c, Use use) const {
    for (std::int64_t i = 0; i < r.count; ++i) {
      const std::int64_t row = r.first + i;
      const std::int64_t skip = (rows[row].tile - c.first % tiles + tiles) % tiles;
      for (std::int64_t j = skip; j < c.count; j += tiles) {
        if (c.first + j != row) use(i, j, row);
      }
    }
  }
};

// s of the block, -inf where a pair does not count.
template <typename T>
void similarities(const Problem& p, Range r, Range c, Tensor& s) {  // s [r.count, c.count]
  at::mm_out(s, p.left.narrow(0, r.first, r.count), p.right.narrow(0, c.first, c.count).t());
  constexpr T never = -std::numeric_limits<T>::infinity();
  T* const values = s.mutable_data_ptr<T>();
  for (std::int64_t i = std::max(r.first, c.first); i < std::min(r.first + r.count, c.first + c.count); ++i) {
    values[(i - r.first) * c.count + (i - c.first)] = never;
  }
  if (!p.grouped) return;
  for (std::int64_t i = 0; i < r.count; ++i) {
    const Row row = p.rows[r.first + i];
    if (row.group < 0) continue;
    for (std::int64_t j = 0; j < c.count; ++j) {
      if (compaction::relation(row, p.rows[c.first + j]) == compaction::Relation::excluded) {
        values[i * c.count + j] = never;
      }
    }
  }
}

// Runs work(rows) for every block of rows, in order.
template <typename Work>
void each_row_block(std::int64_t size, Work work) {
  for (std::int64_t first = 0; first < size; first += row_block) {
    work(Range{first, std::min(row_block, size - first)});
  }
}

// Runs work(columns, block of s) for every block of columns, in order; the block's memory is used again.
template <typename T, typename Work>
void each_similarity_block(const Problem& p, Range r, Work work) {
  Tensor buffer = at::empty({r.count * std::min(column_block, p.size())}, p.zn.options());
  for (std::int64_t first = 0; first < p.size(); first += column_block) {
    const Range c{first, std::min(column_block, p.size() - first)};
    Tensor s = buffer.narrow(0, 0, r.count * c.count).view({r.count, c.count});
    similarities<T>(p, r, c, s);
    work(c, s);
  }
}

template <typename T>
std::tuple<Tensor, Tensor> forward(const Problem& p) {
  const auto options = p.zn.options();
  Tensor lse = at::empty({p.size()}, options);
  Tensor row_loss = at::empty({p.size()}, options);
  each_row_block(p.size(), [&](Range r) {
    // Starting from the lowest finite number instead of -inf keeps a block in which nothing counts free of
    // NaN.
    Tensor top = at::full({r.count, 1}, std::numeric_limits<T>::lowest(), options);
    Tensor sum = at::zeros({r.count, 1}, options);
    std::vector<double> positive(r.count, 0.0);
    each_similarity_block<T>(p, r, [&](Range c, Tensor& s) {
      const T* const values = s.const_data_ptr<T>();
      p.each_positive(r, c, [&](std::int64_t i, std::int64_t j, std::int64_t) {
        positive[i] += values[i * c.count + j];
      });
      const Tensor higher = at::maximum(top, s.amax({1}, true));
      sum.mul_((top - higher).exp_()).add_(s.sub_(higher).exp_().sum({1}, true));
      top = higher;
    });
    const Tensor value = top.add_(sum.log_()).squeeze(1);
    lse.narrow(0, r.first, r.count).copy_(value);
    const T* const values = value.const_data_ptr<T>();
    T* const losses = row_loss.mutable_data_ptr<T>() + r.first;
    for (std::int64_t i = 0; i < r.count; ++i) {
      losses[i] = static_cast<T>(values[i] - positive[i] / p.positives(r.first + i));
    }
  });
  return {row_loss.mean(), lse};
}

template <typename T>
Tensor backward(const Problem& p, const Tensor& lse, double temperature, const Tensor& gradient) {
  Tensor pull = at::zeros({p.size(), p.zn.size(1)}, p.zn.options());  // sum_j W_ij zn_j
  each_row_block(p.size(), [&](Range r) {
    Tensor rows_pull = pull.narrow(0, r.first, r.count);
    const Tensor row_lse = lse.narrow(0, r.first, r.count).unsqueeze(1);
    Tensor other = at::empty({0}, p.zn.options());
    each_similarity_block<T>(p, r, [&](Range c, Tensor& s) {
      other.resize_({r.count, c.count});
      at::sub_out(other, s, lse.narrow(0, c.first, c.count));
      s.sub_(row_lse).exp_().add_(other.exp_());
      T* const weights = s.mutable_data_ptr<T>();
      p.each_positive(r, c, [&](std::int64_t i, std::int64_t j, std::int64_t row) {
        weights[i * c.count + j] -= static_cast<T>(2.0 / p.positives(row));
      });
      rows_pull.addmm_(s, p.zn.narrow(0, c.first, c.count));
    });
  });
  // The part of the pull along zn_i changes |z_i| only: the normalisation takes it out.
  pull.sub_(p.zn * (p.zn * pull).sum({1}, true));
  return pull.mul_(p.inverse_norm * (gradient / (temperature * static_cast<double>(p.size()))));
}

std::tuple<Tensor, Tensor> compaction_forward_cpu(const Tensor& z, std::int64_t tiles, double temperature,
                                                  const std::optional<Tensor>& group) {
  const KernelScope scope;
  const Problem p(z, tiles, temperature, group);
  return AT_DISPATCH_FLOATING_TYPES(z.scalar_type(), "compaction_forward",
                                    [&] { return forward<scalar_t>(p); });
}

Tensor compaction_backward_cpu(const Tensor& gradient, const Tensor& z, const Tensor& lse, std::int64_t tiles,
                               double temperature, const std::optional<Tensor>& group) {
  const KernelScope scope;
  const Problem p(z, tiles, temperature, group);
  return AT_DISPATCH_FLOATING_TYPES(z.scalar_type(), "compaction_backward",
                                    [&] { return backward<scalar_t>(p, lse, temperature, gradient); });
}

TORCH_LIBRARY_IMPL(stainfold, CPU, library) {
  library.impl("compaction_forward", &compaction_forward_cpu);
  library.impl("compaction_backward", &compaction_backward_cpu);
}

}  // namespace
}  // namespace stainfold::ops
