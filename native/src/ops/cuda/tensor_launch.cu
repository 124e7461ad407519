#include "ops/cuda/tensor_launch.h"

#include <algorithm>

#include "ops/cuda/compaction_launch.h"
#include "ops/cuda/tensor_backward.cuh"
#include "ops/cuda/tensor_block.cuh"
#include "ops/cuda/tensor_forward.cuh"

namespace stainfold::compaction {
namespace {

// Two blocks to a multiprocessor: while one reduces a tile the other multiplies.
constexpr int resident_blocks = 2;
constexpr std::int32_t widest_split_panel = 512;
constexpr int rows_a_block = split_threads / 32;

extern __shared__ __align__(128) unsigned char split_shared[];

__global__ void __launch_bounds__(split_threads)
    split_units_kernel(const float* z, std::int32_t rows, std::int32_t dim, std::int32_t blocks,
                       std::uint16_t* units, float* inverse_norm) {
  TensorBlock block{nullptr};
  split_unit_rows(block, blockIdx.x * rows_a_block, z, rows, dim, blocks, units, inverse_norm);
}

__global__ void __launch_bounds__(split_threads, resident_blocks)
    gather_kernel(SplitProblem problem, Squares squares, Gathered gathered) {
  // Squares below the diagonal are those above it.
  if (blockIdx.x > blockIdx.y) return;
  TensorBlock block{split_shared};
  gather_square(block, problem, squares, blockIdx.x, blockIdx.y, gathered);
}

__global__ void __launch_bounds__(split_threads, resident_blocks)
    weigh_kernel(SplitProblem problem, const float* lse, std::int32_t first_column, std::int32_t blocks,
                 std::uint16_t* panel) {
  TensorBlock block{split_shared};
  weigh_tile(block, problem, lse, blockIdx.x, blockIdx.y, first_column, blocks, panel);
}

__global__ void __launch_bounds__(split_threads, resident_blocks)
    pull_kernel(SplitProblem problem, SplitMatrix panel, std::int32_t width, std::int32_t first_column,
                float* pull) {
  TensorBlock block{split_shared};
  pull_tile(block, problem, panel, width, first_column, blockIdx.x, blockIdx.y, pull);
}

__global__ void __launch_bounds__(split_threads)
    project_kernel(SplitProblem problem, const float* loss_gradient, float* pull) {
  TensorBlock block{nullptr};
  project_split_rows(block, problem, blockIdx.x * rows_a_block, loss_gradient, pull);
}

// More shared memory than a kernel gets unasked, on whatever device is current.
template <typename Kernel>
cudaError_t allow_shared(Kernel kernel) {
  return cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, split_shared_bytes);
}

std::int32_t row_tiles(std::int32_t rows) { return (rows - 1) / split_side + 1; }

}  // namespace

bool has_tensor_cores() {
  int device = 0, major = 0;
  return cudaGetDevice(&device) == cudaSuccess &&
         cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, device) == cudaSuccess &&
         major >= 8;
}

std::int32_t padded_rows(std::int32_t rows) { return row_tiles(rows) * split_side; }

std::int32_t unit_blocks(std::int32_t dim) {
  return ((dim - 1) / split_side + 1) * (split_side / split_depth);
}

std::int32_t gather_slots(std::int32_t rows) { return squares_of(rows).slots(); }

std::int32_t panel_blocks(std::int32_t rows) {
  return std::min(padded_rows(rows), widest_split_panel) / split_depth;
}

cudaError_t launch_split_units(const float* z, std::int32_t rows, std::int32_t dim, std::uint16_t* units,
                               float* inverse_norm, cudaStream_t stream) {
  split_units_kernel<<<padded_rows(rows) / rows_a_block, split_threads, 0, stream>>>(
      z, rows, dim, unit_blocks(dim), units, inverse_norm);
  return cudaGetLastError();
}

cudaError_t launch_tensor_forward(const SplitProblem& problem, float* partials, double* sums, float* lse,
                                  float* loss, cudaStream_t stream) {
  if (const cudaError_t error = allow_shared(gather_kernel); error != cudaSuccess) return error;
  const Squares squares = squares_of(problem.rows);
  const std::int64_t part = static_cast<std::int64_t>(squares.slots()) * problem.rows;
  const dim3 grid(squares.count, squares.count);
  gather_kernel<<<grid, split_threads, split_shared_bytes, stream>>>(
      problem, squares, Gathered{partials, partials + part, partials + 2 * part});
  if (const cudaError_t error = cudaGetLastError(); error != cudaSuccess) return error;
  return launch_finish(problem.rows, problem.tiles, squares.slots(), partials, sums, lse, loss, stream);
}

cudaError_t launch_tensor_backward(const SplitProblem& problem, const float* lse, const float* loss_gradient,
                                   std::uint16_t* panel, float* gradient, cudaStream_t stream) {
  if (const cudaError_t error = allow_shared(weigh_kernel); error != cudaSuccess) return error;
  if (const cudaError_t error = allow_shared(pull_kernel); error != cudaSuccess) return error;
  const std::int32_t tiles = row_tiles(problem.rows), blocks = panel_blocks(problem.rows);
  const std::int32_t step = blocks * split_depth;
  for (std::int32_t first = 0; first < problem.rows; first += step) {
    const std::int32_t width = std::min(step, padded_rows(problem.rows) - first);
    const dim3 weights(tiles, width / split_side);
    weigh_kernel<<<weights, split_threads, split_shared_bytes, stream>>>(problem, lse, first, blocks, panel);
    const dim3 pulls(tiles, problem.zn.blocks * split_depth / split_side);
    pull_kernel<<<pulls, split_threads, split_shared_bytes, stream>>>(problem, SplitMatrix{panel, blocks},
                                                                      width, first, gradient);
    if (const cudaError_t error = cudaGetLastError(); error != cudaSuccess) return error;
  }
  project_kernel<<<padded_rows(problem.rows) / rows_a_block, split_threads, 0, stream>>>(
      problem, loss_gradient, gradient);
  return cudaGetLastError();
}

}  // namespace stainfold::compaction
