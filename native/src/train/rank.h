// The effective rank of an embedding: how many directions it really uses.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace stainfold {

constexpr std::int64_t kRankedRows = 256;

// exp of the entropy of the normalised singular values (Roy & Vetterli 2007), of the first kRankedRows rows
// at most, so that it stays cheap enough for every step. In [1, min(M,kRankedRows,d)]; 0 for a zero matrix.
// In float64 on the CPU.
double effective_rank(const at::Tensor& z);  // [M,d], finite

}  // namespace stainfold
