// The CUDA kernels of the compaction loss. Versions, from naive to fast:
//   1. this one: 64 x 64 tiles of s from shared memory, a 4 x 4 patch a thread, each tile reduced where it is
//   made. It serves float64, and float32 of many columns.
//   2. tensor_forward.cuh and tensor_backward.cuh: 128 x 128 tiles on tensor cores, half of them forward.
// All sums run in a fixed order (no atomics), so that the same input gives the same bytes.
//
// Nothing here needs a CUDA header: a test compiles this file for the CPU, with the built-in variables and
// __syncthreads emulated, and runs the kernels as they are.
#pragma once

#include <cstdint>

#include "ops/compaction_math.h"
#include "ops/cuda/compaction_problem.h"

#ifdef __CUDACC__
#define STAINFOLD_UNROLL _Pragma("unroll")
#else
#define STAINFOLD_UNROLL
#endif

namespace stainfold::compaction {

constexpr int tile_side = 64;    // rows and columns of a tile
constexpr int tile_depth = 16;   // columns of z that are in shared memory at a time
constexpr int thread_side = 16;  // threads along a side of a tile
constexpr int patch = 4;         // a thread has patch x patch pairs, thread_side apart: no bank conflicts
constexpr int tile_threads = thread_side * thread_side;
constexpr int row_threads = 128;  // of kernels that give each row a block
constexpr int loss_threads = 256;

static_assert(tile_side == thread_side * patch);

// Sum or largest of one value a thread, in the same order every time. `scratch` holds `threads` values; every
// thread gets the result.
template <int threads, typename T, typename Combine>
__device__ T block_reduce(T value, T* scratch, Combine combine) {
  scratch[threadIdx.x] = value;
  __syncthreads();
  for (int half = threads / 2; half > 0; half /= 2) {
    if (static_cast<int>(threadIdx.x) < half) {
      scratch[threadIdx.x] = combine(scratch[threadIdx.x], scratch[threadIdx.x + half]);
    }
    __syncthreads();
  }
  const T result = scratch[0];
  __syncthreads();  // before the scratch is used again
  return result;
}

template <typename T>
struct Add {
  __device__ T operator()(T a, T b) const { return a + b; }
};

template <typename T>
struct Largest {  // NaN wins
  __device__ T operator()(T a, T b) const { return b > a || b != b ? b : a; }
};

// zn = z / |z|, one block a row. The row is scaled by its largest entry first: squares neither overflow nor
// vanish.
template <typename T>
__global__ void normalise_rows(const T* z,  // [rows,dim]
                               std::int32_t dim,
                               T* zn,            // [rows,dim]
                               T* inverse_norm)  // [rows]
{
  __shared__ T scratch[row_threads];
  const std::int64_t start = static_cast<std::int64_t>(blockIdx.x) * dim;
  const int thread = threadIdx.x;

  T largest = 0;
  for (std::int32_t k = thread; k < dim; k += row_threads)
    largest = Largest<T>()(largest, std::fabs(z[start + k]));
  largest = block_reduce<row_threads>(largest, scratch, Largest<T>());
  if (largest < T(zero_row)) {  // the same answer in every thread of the block
    for (std::int32_t k = thread; k < dim; k += row_threads) zn[start + k] = 0;
    if (thread == 0) inverse_norm[blockIdx.x] = 0;
    return;
  }

  T squares = 0;
  for (std::int32_t k = thread; k < dim; k += row_threads) {
    const T scaled = z[start + k] / largest;
    squares += scaled * scaled;
  }
  const T norm = std::sqrt(block_reduce<row_threads>(squares, scratch, Add<T>()));
  for (std::int32_t k = thread; k < dim; k += row_threads) zn[start + k] = z[start + k] / largest / norm;
  if (thread == 0) inverse_norm[blockIdx.x] = T(1) / (largest * norm);
}

// Slices of the two factors of a tile, depth first. The odd width keeps stores of a column off one bank.
template <typename T>
struct TileSlices {
  T left[tile_depth][tile_side + 1];
  T right[tile_depth][tile_side + 1];
};

// to[k][lane] = from[(first + lane) * stride + k0 + k], 0 outside: consecutive threads read along a row.
template <typename T>
__device__ void load_rows(T (&to)[tile_depth][tile_side + 1], const T* from, std::int64_t stride,
                          std::int32_t first, std::int32_t rows, std::int32_t k0, std::int32_t depth) {
  for (int i = threadIdx.x; i < tile_side * tile_depth; i += tile_threads) {
    const int k = i % tile_depth, lane = i / tile_depth;
    const bool inside = first + lane < rows && k0 + k < depth;
    to[k][lane] = inside ? from[(first + lane) * stride + k0 + k] : T(0);
  }
}

// to[k][lane] = from[(k0 + k) * stride + first + lane], 0 outside: the same of a matrix that lies the other
// way.
template <typename T>
__device__ void load_columns(T (&to)[tile_depth][tile_side + 1], const T* from, std::int64_t stride,
                             std::int32_t first, std::int32_t columns, std::int32_t k0, std::int32_t depth) {
  for (int i = threadIdx.x; i < tile_side * tile_depth; i += tile_threads) {
    const int lane = i % tile_side, k = i / tile_side;
    const bool inside = first + lane < columns && k0 + k < depth;
    to[k][lane] = inside ? from[(k0 + k) * stride + first + lane] : T(0);
  }
}

// A thread's patch of left^T right over one slice.
template <typename T>
__device__ void multiply_slice(const TileSlices<T>& slices, int ty, int tx, T (&sum)[patch][patch]) {
  STAINFOLD_UNROLL
  for (int k = 0; k < tile_depth; ++k) {
    T left[patch], right[patch];
    STAINFOLD_UNROLL
    for (int a = 0; a < patch; ++a) {
      left[a] = slices.left[k][ty + a * thread_side];
      right[a] = slices.right[k][tx + a * thread_side];
    }
    STAINFOLD_UNROLL
    for (int a = 0; a < patch; ++a) {
      STAINFOLD_UNROLL
      for (int b = 0; b < patch; ++b) sum[a][b] += left[a] * right[b];
    }
  }
}

// A thread's patch of zn[row0 ..] . zn[column0 ..].
template <typename T>
__device__ void tile_dots(const DeviceProblem<T>& p, std::int32_t row0, std::int32_t column0,
                          TileSlices<T>& slices, int ty, int tx, T (&dots)[patch][patch]) {
  for (int a = 0; a < patch; ++a) {
    for (int b = 0; b < patch; ++b) dots[a][b] = 0;
  }
  for (std::int32_t k0 = 0; k0 < p.dim; k0 += tile_depth) {
    load_rows(slices.left, p.zn, p.dim, row0, p.rows, k0, p.dim);
    load_rows(slices.right, p.zn, p.dim, column0, p.rows, k0, p.dim);
    __syncthreads();
    multiply_slice(slices, ty, tx, dots);
    __syncthreads();
  }
}

// Online logsumexp and sum over positives of every row, over the tiles of columns blockIdx.y, blockIdx.y +
// gridDim.y,
// ...: grid (tiles of rows, splits). The splits give a small batch enough blocks to fill the device.
template <typename T>
__global__ void forward_partials(DeviceProblem<T> p,
                                 T* partial_max,       // [splits,rows]
                                 T* partial_sum,       // [splits,rows]
                                 T* partial_positive)  // [splits,rows] sum of s over the positives
{
  __shared__ TileSlices<T> slices;
  __shared__ T thread_max[tile_side][thread_side];
  __shared__ T thread_sum[tile_side][thread_side];
  __shared__ T thread_positive[tile_side][thread_side];
  const int tx = threadIdx.x % thread_side, ty = threadIdx.x / thread_side;
  const std::int32_t row0 = blockIdx.x * tile_side;

  LogSumExp<T> lse[patch];
  T positive[patch] = {};
  for (std::int32_t column0 = blockIdx.y * tile_side; column0 < p.rows; column0 += gridDim.y * tile_side) {
    T dots[patch][patch];
    tile_dots(p, row0, column0, slices, ty, tx, dots);
    for (int b = 0; b < patch; ++b) {
      const std::int32_t column = column0 + tx + b * thread_side;
      if (column >= p.rows) continue;
      const Row other = row_at(column, p.tiles, p.group);
      const bool other_unit = p.inverse_norm[column] != T(0);
      for (int a = 0; a < patch; ++a) {
        const std::int32_t row = row0 + ty + a * thread_side;
        if (row >= p.rows) continue;
        const Relation kind = relation(row_at(row, p.tiles, p.group), other);
        if (kind == Relation::self || kind == Relation::excluded) continue;
        const T s = similarity(dots[a][b], p.inverse_norm[row] != T(0), other_unit, p.inverse_temperature);
        lse[a].add(s);
        if (kind == Relation::positive) positive[a] += s;
      }
    }
  }

  for (int a = 0; a < patch; ++a) {
    thread_max[ty + a * thread_side][tx] = lse[a].max;
    thread_sum[ty + a * thread_side][tx] = lse[a].sum;
    thread_positive[ty + a * thread_side][tx] = positive[a];
  }
  __syncthreads();
  const int lane = threadIdx.x;
  const std::int32_t row = row0 + lane;
  if (lane >= tile_side || row >= p.rows) return;
  LogSumExp<T> row_lse;
  T row_positive = 0;
  for (int i = 0; i < thread_side; ++i) {
    row_lse.merge({thread_max[lane][i], thread_sum[lane][i]});
    row_positive += thread_positive[lane][i];
  }
  const std::int64_t at = static_cast<std::int64_t>(blockIdx.y) * p.rows + row;
  partial_max[at] = row_lse.max;
  partial_sum[at] = row_lse.sum;
  partial_positive[at] = row_positive;
}

// Joins what the splits of every row have, a row a thread. `sums`: the loss of each block's rows.
template <typename T>
__global__ void finish_rows(std::int32_t rows, std::int32_t tiles, std::int32_t splits,
                            const T* partial_max,       // [splits,rows]
                            const T* partial_sum,       // [splits,rows]
                            const T* partial_positive,  // [splits,rows]
                            T* lse,                     // [rows]
                            double* sums)               // [blocks]
{
  __shared__ double scratch[loss_threads];
  const std::int32_t row = blockIdx.x * loss_threads + threadIdx.x;
  double sum = 0;
  if (row < rows) {
    LogSumExp<T> joined;
    double positive = 0;
    for (std::int32_t split = 0; split < splits; ++split) {
      const std::int64_t at = static_cast<std::int64_t>(split) * rows + row;
      joined.merge({partial_max[at], partial_sum[at]});
      positive += partial_positive[at];
    }
    lse[row] = joined.value();
    sum = joined.value() - positive / positives(rows, tiles, row % tiles);
  }
  sum = block_reduce<loss_threads>(sum, scratch, Add<double>());
  if (threadIdx.x == 0) sums[blockIdx.x] = sum;
}

// The mean over rows, by one block, so that the order of the sum is fixed.
template <typename T>
__global__ void finish_loss(std::int32_t rows, std::int32_t count, const double* sums,  // [count]
                            T* loss)                                                    // [1]
{
  __shared__ double scratch[loss_threads];
  double sum = 0;
  for (std::int32_t i = threadIdx.x; i < count; i += loss_threads) sum += sums[i];
  sum = block_reduce<loss_threads>(sum, scratch, Add<double>());
  if (threadIdx.x == 0) loss[0] = static_cast<T>(sum / rows);
}

// W_ij of all rows against `width` columns from first_column on, recomputed from zn: grid (tiles of rows,
// tiles of the panel).
template <typename T>
__global__ void weight_panel(DeviceProblem<T> p, const T* lse,  // [rows]
                             std::int32_t first_column, std::int32_t width,
                             T* panel)  // [rows,width]
{
  __shared__ TileSlices<T> slices;
  const int tx = threadIdx.x % thread_side, ty = threadIdx.x / thread_side;
  const std::int32_t row0 = blockIdx.x * tile_side;
  const std::int32_t panel0 = blockIdx.y * tile_side;

  T dots[patch][patch];
  tile_dots(p, row0, first_column + panel0, slices, ty, tx, dots);
  for (int b = 0; b < patch; ++b) {
    const std::int32_t panel_column = panel0 + tx + b * thread_side;
    if (panel_column >= width) continue;
    const Row other = row_at(first_column + panel_column, p.tiles, p.group);
    const bool other_unit = p.inverse_norm[other.index] != T(0);
    for (int a = 0; a < patch; ++a) {
      const std::int32_t row = row0 + ty + a * thread_side;
      if (row >= p.rows) continue;
      const Relation kind = relation(row_at(row, p.tiles, p.group), other);
      T weight = 0;
      if (kind == Relation::positive || kind == Relation::negative) {
        const T share = kind == Relation::positive ? T(2) / positives(p.rows, p.tiles, other.tile) : T(0);
        const T s = similarity(dots[a][b], p.inverse_norm[row] != T(0), other_unit, p.inverse_temperature);
        weight = pair_weight(s, lse[row], lse[other.index], share);
      }
      panel[static_cast<std::int64_t>(row) * width + panel_column] = weight;
    }
  }
}

// pull += panel zn[first_column ...]: grid (tiles of rows, tiles of zn's columns). The first panel, at column
// 0, overwrites.
template <typename T>
__global__ void accumulate_panel(DeviceProblem<T> p, const T* panel,  // [rows,width]
                                 std::int32_t first_column, std::int32_t width,
                                 T* pull)  // [rows,dim]
{
  __shared__ TileSlices<T> slices;
  const int tx = threadIdx.x % thread_side, ty = threadIdx.x / thread_side;
  const std::int32_t row0 = blockIdx.x * tile_side;
  const std::int32_t column0 = blockIdx.y * tile_side;
  const T* const factor = p.zn + static_cast<std::int64_t>(first_column) * p.dim;

  T sum[patch][patch] = {};
  for (std::int32_t k0 = 0; k0 < width; k0 += tile_depth) {
    load_rows(slices.left, panel, width, row0, p.rows, k0, width);
    load_columns(slices.right, factor, p.dim, column0, p.dim, k0, width);
    __syncthreads();
    multiply_slice(slices, ty, tx, sum);
    __syncthreads();
  }
  for (int a = 0; a < patch; ++a) {
    const std::int32_t row = row0 + ty + a * thread_side;
    if (row >= p.rows) continue;
    for (int b = 0; b < patch; ++b) {
      const std::int32_t column = column0 + tx + b * thread_side;
      if (column >= p.dim) continue;
      T& target = pull[static_cast<std::int64_t>(row) * p.dim + column];
      target = first_column == 0 ? sum[a][b] : target + sum[a][b];
    }
  }
}

// The gradient of z from the pull, in place, one block a row: the part of the pull along zn changes |z| only,
// and the normalisation takes it out.
template <typename T>
__global__ void project_rows(DeviceProblem<T> p, const T* loss_gradient,  // [1]
                             T* pull)                                     // [rows,dim]
{
  __shared__ T scratch[row_threads];
  const std::int64_t start = static_cast<std::int64_t>(blockIdx.x) * p.dim;
  T along = 0;
  for (std::int32_t k = threadIdx.x; k < p.dim; k += row_threads) along += p.zn[start + k] * pull[start + k];
  along = block_reduce<row_threads>(along, scratch, Add<T>());
  const T scale = p.inverse_norm[blockIdx.x] * (loss_gradient[0] * p.inverse_temperature / p.rows);
  for (std::int32_t k = threadIdx.x; k < p.dim; k += row_threads) {
    pull[start + k] = (pull[start + k] - p.zn[start + k] * along) * scale;
  }
}

}  // namespace stainfold::compaction
