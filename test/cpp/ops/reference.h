// The compaction loss as its definition reads, with the whole M x M matrix in plain autograd: slow, and easy
// to believe.
#pragma once

#include <ATen/ATen.h>
#include <torch/csrc/autograd/autograd.h>

#include <cmath>
#include <functional>
#include <limits>
#include <optional>
#include <utility>

namespace stainfold::testing {

using OptionalTensor = std::optional<at::Tensor>;

inline at::Tensor reference_compaction(const at::Tensor& z, std::int64_t tiles, double temperature,
                                       const OptionalTensor& group = std::nullopt) {
  const std::int64_t rows = z.size(0);
  const at::Tensor zero = z.detach().norm(2, 1, true) == 0;
  const at::Tensor zn = (z / z.masked_fill(zero, 1).norm(2, 1, true)).masked_fill(zero, 0);
  const at::Tensor square = zn.square().sum(1);
  const at::Tensor s =
      -(square.unsqueeze(0) + square.unsqueeze(1) - 2 * at::mm(zn, zn.t())) / (2 * temperature);

  const at::Tensor index = at::arange(rows);
  const at::Tensor tile = index % tiles;
  const at::Tensor self = index.unsqueeze(0) == index.unsqueeze(1);
  const at::Tensor same_tile = tile.unsqueeze(0) == tile.unsqueeze(1);
  at::Tensor left_out = self;
  if (group.has_value()) {
    const at::Tensor g = group->index_select(0, tile);
    left_out = left_out | (~same_tile & (g.unsqueeze(0) == g.unsqueeze(1)) & (g.unsqueeze(0) >= 0));
  }
  const at::Tensor lse = s.masked_fill(left_out, -std::numeric_limits<double>::infinity()).logsumexp(1);
  const at::Tensor positive = (same_tile & ~self).to(z.scalar_type());
  return (lse - (s * positive).sum(1) / positive.sum(1)).mean();
}

struct ValueAndGradient {
  at::Tensor value, gradient;
};

// Of a scalar function of one tensor, at a copy of z that keeps its strides.
inline ValueAndGradient differentiate(const std::function<at::Tensor(const at::Tensor&)>& loss,
                                      const at::Tensor& z) {
  at::Tensor leaf = z.detach().clone(at::MemoryFormat::Preserve).requires_grad_(true);
  const at::Tensor value = loss(leaf);
  const auto gradients = torch::autograd::grad({value}, {leaf});
  return {value.detach(), gradients[0]};
}

// Central differences, an element at a time; z must be float64.
inline at::Tensor finite_differences(const std::function<at::Tensor(const at::Tensor&)>& loss,
                                     const at::Tensor& z, double step = 1e-6) {
  const at::NoGradGuard no_grad;
  at::Tensor gradient = at::zeros(z.sizes(), at::kDouble);
  for (std::int64_t k = 0; k < z.numel(); ++k) {
    const auto shifted = [&](double by) {
      at::Tensor moved = z.contiguous().clone();
      moved.view({-1})[k] += by;
      return loss(moved).item<double>();
    };
    gradient.view({-1})[k] = (shifted(step) - shifted(-step)) / (2 * step);
  }
  return gradient;
}

// Error of a gradient of the compaction loss. Its natural size is 1/(|z_i| temperature M) in row i: rows are
// scaled by |z_i|, so that one of 1e6 counts as much as one of 1, and the error is measured against that size
// where the true gradient is smaller (in one dimension it is 0). NaN gives infinity.
inline double gradient_error(const at::Tensor& out, const at::Tensor& ref, const at::Tensor& z,
                             double temperature) {
  if (out.sizes() != ref.sizes()) return std::numeric_limits<double>::infinity();
  const at::Tensor norm = z.detach().to(at::kCPU, at::kDouble).norm(2, 1, true);
  const at::Tensor expected = ref.detach().to(at::kCPU, at::kDouble) * norm;
  const at::Tensor difference = out.detach().to(at::kCPU, at::kDouble) * norm - expected;
  const double natural = 1 / (temperature * std::sqrt(static_cast<double>(z.size(0))));
  const double error = difference.norm().item<double>() / std::max(expected.norm().item<double>(), natural);
  return std::isnan(error) ? std::numeric_limits<double>::infinity() : error;
}

}  // namespace stainfold::testing
