// The effective rank of an embedding: how many directions it really uses.
#pragma once

#include <ATen/core/Tensor.h>

namespace stainfold {

// exp of the entropy of the normalised singular values (Roy & Vetterli 2007), of the first 256 rows at most,
// so that it stays cheap enough for every step. In [1, min(M,256,d)]; 0 for a zero matrix. In float64 on the
// CPU.
double effective_rank(const at::Tensor& z);  // [M,d], finite

}  // namespace stainfold
