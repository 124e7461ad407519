// What the forward and the backward pass of the compaction loss on tensor cores share: unit rows in halves,
// and the similarities of a tile's pairs.
#pragma once

#include <cmath>
#include <cstdint>

#include "ops/compaction_math.h"
#include "ops/cuda/compaction_problem.h"
#include "ops/cuda/split_float.h"
#include "ops/cuda/split_tiles.cuh"

namespace stainfold::compaction {

// Of numbers up to 0. The device's fast one is off by 2 + 1.2 |x| units in the last place: never by more than
// 2^-21 of the largest term of a sum.
struct QuickExponential {
  STAINFOLD_DEVICE float operator()(float x) const {
#ifdef __CUDACC__
    return __expf(x);
#else
    return std::exp(x);
#endif
  }
};

struct Sum {
  STAINFOLD_DEVICE float operator()(float a, float b) const { return a + b; }
};

struct Top {  // passes over NaN, which comes back by the sum
  STAINFOLD_DEVICE float operator()(float a, float b) const { return std::fmax(a, b); }
};

struct TopOrNaN {
  STAINFOLD_DEVICE float operator()(float a, float b) const { return b > a || b != b ? b : a; }
};

template <typename Block, typename Value, typename Combine>
STAINFOLD_DEVICE void reduce_warp(Block& block, Value value_of, Combine combine) {
  STAINFOLD_UNROLLED
  for (int mask = 16; mask > 0; mask /= 2) block.butterfly(value_of, mask, combine);
}

// zn = z / |z| in halves, a row a warp, 8 rows a block; rows and columns of padding become 0. The row is
// scaled by its largest entry first: squares neither overflow nor vanish.
template <typename Block>
STAINFOLD_DEVICE void split_unit_rows(Block& block, std::int32_t row0, const float* z,  // [rows,dim]
                                      std::int32_t rows, std::int32_t dim, std::int32_t blocks,
                                      std::uint16_t* units,  // [padded rows,blocks,2,32]
                                      float* inverse_norm)   // [padded rows]
{
  typename Block::template PerThread<float> largest, squares;
  const auto row_of = [&](int thread) { return row0 + thread / 32; };
  const auto entry = [&](int thread, std::int32_t k) {
    return row_of(thread) < rows && k < dim ? z[static_cast<std::int64_t>(row_of(thread)) * dim + k] : 0.0f;
  };
  block.each([&](int thread) {
    largest[thread] = 0;
    for (std::int32_t k = thread % 32; k < dim; k += 32)
      largest[thread] = TopOrNaN()(largest[thread], std::fabs(entry(thread, k)));
  });
  reduce_warp(
      block, [&](int thread) -> float& { return largest[thread]; }, TopOrNaN());
  block.each([&](int thread) {
    const bool zero = largest[thread] < static_cast<float>(zero_row);  // false for NaN, which goes on
    if (zero) largest[thread] = 0;
    squares[thread] = 0;
    for (std::int32_t k = thread % 32; k < dim && !zero; k += 32) {
      const float scaled = entry(thread, k) / largest[thread];
      squares[thread] += scaled * scaled;
    }
  });
  reduce_warp(
      block, [&](int thread) -> float& { return squares[thread]; }, Sum());
  block.each([&](int thread) {
    const bool zero = largest[thread] == 0;
    const float norm = std::sqrt(squares[thread]);
    std::uint16_t* const row = units + static_cast<std::int64_t>(row_of(thread)) * blocks * 2 * split_depth;
    for (std::int32_t k = thread % 32; k < blocks * split_depth; k += 32) {
      const float unit = zero ? 0.0f : entry(thread, k) / largest[thread] / norm;
      const Halves halves = split(unit * unit_scale);
      row[k / split_depth * 2 * split_depth + k % split_depth] = halves.high;
      row[k / split_depth * 2 * split_depth + split_depth + k % split_depth] = halves.low;
    }
    if (thread % 32 == 0) inverse_norm[row_of(thread)] = zero ? 0.0f : 1 / (largest[thread] * norm);
  });
}

// Whether some pair of the tile is its own row, a positive, left out or padding.
STAINFOLD_DEVICE bool has_exceptions(const SplitProblem& p, std::int32_t row0, std::int32_t column0) {
  if (p.group || row0 + split_side > p.rows || column0 + split_side > p.rows) return true;
  // Rows of one tile lie a multiple of `tiles` apart: is there one among column - row, which runs through
  // 2 * side - 1 numbers up to `most`?
  const std::int64_t most = static_cast<std::int64_t>(column0) - row0 + split_side - 1;
  const std::int64_t beyond = (most % p.tiles + p.tiles) % p.tiles;  // of the last multiple
  return beyond <= 2 * split_side - 2;
}

struct Place {
  std::int32_t row0, column0;
};

// A bit for each of a thread's pairs, those of row h from bit 2 column_steps h on.
struct PairBits {
  std::uint32_t of[row_steps];
};

// Sums of the tile's products become s, -inf where a pair is left out; `positives`: a bit for each of a
// thread's 64 pairs.
template <bool exceptions, typename Block, typename Held, typename Bits>
STAINFOLD_DEVICE void similarities_of(Block& block, Held& held, Bits& positives_of, const SplitProblem& p,
                                      Place at) {
  block.each([&](int thread) {
    constexpr float to_dot = 1 / (unit_scale * unit_scale);
    float half[column_steps][2];
    STAINFOLD_UNROLLED
    for (int n = 0; n < column_steps; ++n) {
      STAINFOLD_UNROLLED
      for (int c = 0; c < 2; ++c)
        half[n][c] = half_square<float>(p.inverse_norm[at.column0 + fragment_column(thread, n, c)] != 0.0f);
    }
    STAINFOLD_UNROLLED
    for (int m = 0; m < row_steps; ++m) {
      if constexpr (exceptions) positives_of[thread].of[m] = 0;
      STAINFOLD_UNROLLED
      for (int h = 0; h < 2; ++h) {
        const std::int32_t row = at.row0 + fragment_row(thread, m, h);
        const float half_row = half_square<float>(p.inverse_norm[row] != 0.0f);
        const Row i = exceptions && row < p.rows ? row_at(row, p.tiles, p.group) : Row{};
        STAINFOLD_UNROLLED
        for (int n = 0; n < column_steps; ++n) {
          STAINFOLD_UNROLLED
          for (int c = 0; c < 2; ++c) {
            float& s = held[thread].sum[m][n][2 * h + c];
            s = (s * to_dot - (half_row + half[n][c])) * p.inverse_temperature;
            if constexpr (exceptions) {
              const std::int32_t column = at.column0 + fragment_column(thread, n, c);
              const Relation kind = row < p.rows && column < p.rows
                                        ? relation(i, row_at(column, p.tiles, p.group))
                                        : Relation::excluded;
              if (kind == Relation::self || kind == Relation::excluded) s = -INFINITY;
              if (kind == Relation::positive)
                positives_of[thread].of[m] |= 1u << (h * 2 * column_steps + n * 2 + c);
            }
          }
        }
      }
    }
  });
}

}  // namespace stainfold::compaction
