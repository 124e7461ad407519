// Launches of the compaction loss on tensor cores, in float32: as compaction_launch.h.
#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>

#include "ops/cuda/compaction_problem.h"

namespace stainfold::compaction {

// Wider rows, which are rare, go to the plain kernels: so these stay in use and under test in float32.
constexpr std::int32_t most_tensor_columns = 1024;

// Whether the current device has what the kernels need: sm_80 and newer.
bool has_tensor_cores();

std::int32_t padded_rows(std::int32_t rows);

// Blocks of 32 columns in a padded row of zn.
std::int32_t unit_blocks(std::int32_t dim);

std::int32_t gather_slots(std::int32_t rows);

// Blocks of 32 columns in a row of the panel that the backward pass holds at a time.
std::int32_t panel_blocks(std::int32_t rows);

cudaError_t launch_split_units(const float* z,  // [rows,dim]
                               std::int32_t rows, std::int32_t dim,
                               std::uint16_t* units,  // [padded_rows(rows),unit_blocks(dim),2,32]
                               float* inverse_norm,   // [padded_rows(rows)]
                               cudaStream_t stream);

cudaError_t launch_tensor_forward(const SplitProblem& problem,
                                  float* partials,  // [3,gather_slots(rows),rows]
                                  double* sums,     // [loss_blocks(rows)]
                                  float* lse,       // [rows]
                                  float* loss,      // [1]
                                  cudaStream_t stream);

cudaError_t launch_tensor_backward(const SplitProblem& problem,
                                   const float* lse,            // [rows]
                                   const float* loss_gradient,  // [1]
                                   std::uint16_t* panel,        // [padded_rows(rows),panel_blocks(rows),2,32]
                                   float* gradient,             // [rows,dim]
                                   cudaStream_t stream);

}  // namespace stainfold::compaction
