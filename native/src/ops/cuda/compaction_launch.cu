#include "ops/cuda/compaction_launch.h"

#include <algorithm>

#include "ops/cuda/compaction_kernels.cuh"

namespace stainfold::compaction {
namespace {

// 2048 rows give 32 x 16 blocks, about four to each multiprocessor of the largest devices.
constexpr std::int32_t most_splits = 16;
constexpr std::int32_t widest_panel = 512;

std::int32_t tiles_over(std::int32_t extent) { return (extent + tile_side - 1) / tile_side; }

}  // namespace

std::int32_t forward_splits(std::int32_t rows) { return std::min(tiles_over(rows), most_splits); }

std::int32_t loss_blocks(std::int32_t rows) { return (rows - 1) / loss_threads + 1; }

std::int32_t panel_width(std::int32_t rows) { return std::min(rows, widest_panel); }

template <typename T>
cudaError_t launch_normalise(const T* z, std::int32_t rows, std::int32_t dim, T* zn, T* inverse_norm,
                             cudaStream_t stream) {
  normalise_rows<T><<<rows, row_threads, 0, stream>>>(z, dim, zn, inverse_norm);
  return cudaGetLastError();
}

template <typename T>
cudaError_t launch_finish(std::int32_t rows, std::int32_t tiles, std::int32_t splits, const T* partials,
                          double* sums, T* lse, T* loss, cudaStream_t stream) {
  const std::int64_t part = static_cast<std::int64_t>(splits) * rows;
  const std::int32_t blocks = loss_blocks(rows);
  finish_rows<T><<<blocks, loss_threads, 0, stream>>>(rows, tiles, splits, partials, partials + part,
                                                      partials + 2 * part, lse, sums);
  if (const cudaError_t error = cudaGetLastError(); error != cudaSuccess) return error;
  finish_loss<T><<<1, loss_threads, 0, stream>>>(rows, blocks, sums, loss);
  return cudaGetLastError();
}

template <typename T>
cudaError_t launch_forward(const DeviceProblem<T>& problem, T* partials, double* sums, T* lse, T* loss,
                           cudaStream_t stream) {
  const std::int32_t splits = forward_splits(problem.rows);
  const std::int64_t part = static_cast<std::int64_t>(splits) * problem.rows;
  const dim3 grid(tiles_over(problem.rows), splits);
  forward_partials<T>
      <<<grid, tile_threads, 0, stream>>>(problem, partials, partials + part, partials + 2 * part);
  if (const cudaError_t error = cudaGetLastError(); error != cudaSuccess) return error;
  return launch_finish(problem.rows, problem.tiles, splits, partials, sums, lse, loss, stream);
}

template <typename T>
cudaError_t launch_backward(const DeviceProblem<T>& problem, const T* lse, const T* loss_gradient, T* panel,
                            T* gradient, cudaStream_t stream) {
  const std::int32_t step = panel_width(problem.rows);
  for (std::int32_t first = 0; first < problem.rows; first += step) {
    const std::int32_t width = std::min(step, problem.rows - first);
    const dim3 panel_grid(tiles_over(problem.rows), tiles_over(width));
    weight_panel<T><<<panel_grid, tile_threads, 0, stream>>>(problem, lse, first, width, panel);
    const dim3 pull_grid(tiles_over(problem.rows), tiles_over(problem.dim));
    accumulate_panel<T><<<pull_grid, tile_threads, 0, stream>>>(problem, panel, first, width, gradient);
    if (const cudaError_t error = cudaGetLastError(); error != cudaSuccess) return error;
  }
  project_rows<T><<<problem.rows, row_threads, 0, stream>>>(problem, loss_gradient, gradient);
  return cudaGetLastError();
}

template cudaError_t launch_normalise(const float*, std::int32_t, std::int32_t, float*, float*, cudaStream_t);
template cudaError_t launch_normalise(const double*, std::int32_t, std::int32_t, double*, double*,
                                      cudaStream_t);
template cudaError_t launch_forward(const DeviceProblem<float>&, float*, double*, float*, float*,
                                    cudaStream_t);
template cudaError_t launch_forward(const DeviceProblem<double>&, double*, double*, double*, double*,
                                    cudaStream_t);
template cudaError_t launch_finish(std::int32_t, std::int32_t, std::int32_t, const float*, double*, float*,
                                   float*, cudaStream_t);
template cudaError_t launch_finish(std::int32_t, std::int32_t, std::int32_t, const double*, double*, double*,
                                   double*, cudaStream_t);
template cudaError_t launch_backward(const DeviceProblem<float>&, const float*, const float*, float*, float*,
                                     cudaStream_t);
template cudaError_t launch_backward(const DeviceProblem<double>&, const double*, const double*, double*,
                                     double*, cudaStream_t);

}  // namespace stainfold::compaction
