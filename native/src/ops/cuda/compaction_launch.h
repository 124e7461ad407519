// Launches of the compaction kernels on a stream: raw pointers and sizes, no LibTorch. Each returns the first
// launch error; errors of execution surface at the stream's next synchronisation.
#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>

#include "ops/cuda/compaction_problem.h"

namespace stainfold::compaction {

// Splits of the columns in the forward pass; they depend on the number of rows alone, so that the result does
// too.
std::int32_t forward_splits(std::int32_t rows);

// Blocks that sum the rows' losses.
std::int32_t loss_blocks(std::int32_t rows);

// Columns of the panel that the backward pass holds at a time.
std::int32_t panel_width(std::int32_t rows);

template <typename T>
cudaError_t launch_normalise(const T* z,  // [rows,dim]
                             std::int32_t rows, std::int32_t dim,
                             T* zn,            // [rows,dim]
                             T* inverse_norm,  // [rows]
                             cudaStream_t stream);

template <typename T>
cudaError_t launch_forward(const DeviceProblem<T>& problem,
                           T* partials,   // [3,forward_splits(rows),rows]
                           double* sums,  // [loss_blocks(rows)]
                           T* lse,        // [rows]
                           T* loss,       // [1]
                           cudaStream_t stream);

template <typename T>
cudaError_t launch_backward(const DeviceProblem<T>& problem,
                            const T* lse,            // [rows]
                            const T* loss_gradient,  // [1]
                            T* panel,                // [rows,panel_width(rows)]
                            T* gradient,             // [rows,dim]
                            cudaStream_t stream);

// Of partial results, however they came about: what launch_forward ends with.
template <typename T>
cudaError_t launch_finish(std::int32_t rows, std::int32_t tiles, std::int32_t splits,
                          const T* partials,  // [3,splits,rows]
                          double* sums,       // [loss_blocks(rows)]
                          T* lse,             // [rows]
                          T* loss,            // [1]
                          cudaStream_t stream);

}  // namespace stainfold::compaction
