// The terms of the objective. Every function is differentiable in its floating-point inputs.
// Symbols as in docs/architecture.md: M rows of z are view-major, row i belongs to tile i mod tiles.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>

namespace stainfold {

// Latent manifold compaction, contrastive over pairwise distances of the normalised rows zn = z / |z|:
//   s_ij = -|zn_i - zn_j|^2 / (2 temperature)
//   loss = mean_i [ logsumexp_{j != i} s_ij - mean_{p in P(i)} s_ip ],  P(i) = the other views of i's tile.
// The M x M matrix is never held: memory is O(M d). A zero row (no entry of 1e-30 or more) has zn = 0 and
// gets gradient 0. Half and bfloat16 are computed in float32. Gradients flow once: double backward throws
// ErrorCode::state. Throws ErrorCode::shape, dtype or option for arguments outside the ranges below.
at::Tensor compaction_loss(
    const at::Tensor& z,  // [M,d] float32 or float64
    std::int64_t tiles,   // 1 <= tiles, 2 * tiles <= M: every tile has at least two views
    double temperature,   // > 0
    // [tiles] int64: different tiles of one group (>= 0) are left out of each other's logsumexp
    const std::optional<at::Tensor>& group = std::nullopt);

// tr(S_within) / tr(S_total) in [0,1]: the explicit radius of the manifolds, and the "compaction ratio" that
// is reported. Where all rows are equal it is 0, with gradient 0.
at::Tensor scatter_ratio(const at::Tensor& z,  // [M,d]
                         std::int64_t tiles);  // 1 <= tiles <= M

// Columns standardised with population deviation; C = A^T B / N; sum_i (C_ii - 1)^2 + lambda sum_{i != j}
// C_ij^2. A column that does not vary has C = 0, with gradient 0.
at::Tensor cross_correlation_loss(const at::Tensor& a,  // [N,d]
                                  const at::Tensor& b,  // [N,d]
                                  double lambda);       // >= 0

// Charbonnier distance, mean(sqrt(x^2 + 1e-6) - 1e-3), plus the same distance of horizontal and vertical
// differences, so that edges count.
at::Tensor reconstruction_loss(const at::Tensor& output,   // [B,3,H,W] in [0,1]
                               const at::Tensor& target);  // [B,3,H,W] in [0,1]

// Identity forward, -weight * gradient backward (Ganin et al. 2016).
at::Tensor reverse_gradient(const at::Tensor& x, double weight);
// The same with a weight that is read where it lies, by work that must not wait for the host.
at::Tensor reverse_gradient(const at::Tensor& x, const at::Tensor& weight);  // weight: a scalar

}  // namespace stainfold
