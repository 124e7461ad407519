// The compaction loss on tensor cores. s is symmetric, so tiles on and above the diagonal are computed, and
// each is reduced along its rows and along its columns. Tiles are taken in squares of `side` tiles: what a
// row gets from a square it gathers in a slot of its own, so that nothing is added up by two blocks and every
// sum has one order.
#pragma once

#include <cstdint>

#include "ops/cuda/tensor_pairs.cuh"

namespace stainfold::compaction {

// What a row has gathered, [slots,rows] each.
struct Gathered {
  float* max;
  float* sum;       // of exp(s - max)
  float* positive;  // of s over the positives
};

// Squares of tiles, and slots: one for each square of a row of squares, and one for the columns' part of the
// square on the diagonal.
struct Squares {
  std::int32_t tiles;  // of rows
  std::int32_t side;
  std::int32_t count;  // of squares along a side
  STAINFOLD_HOST_DEVICE std::int32_t slots() const { return count + 1; }
};

// At most 32 squares along a side: slots are O(1) a row.
STAINFOLD_HOST_DEVICE Squares squares_of(std::int32_t rows) {
  const std::int32_t tiles = (rows - 1) / split_side + 1;
  const std::int32_t side = (tiles - 1) / 32 + 1;
  return Squares{tiles, side, (tiles - 1) / side + 1};
}

// The tiles of a square, row by row; of one on the diagonal those on and above it.
struct SquareWalk {
  std::int32_t first_row, last_row, first_column, last_column;  // the last ones excluded
  std::int32_t row, column;
  STAINFOLD_DEVICE SquareWalk(const Squares& squares, std::int32_t i, std::int32_t j)
      : first_row(i * squares.side),
        last_row(first_row + squares.side < squares.tiles ? first_row + squares.side : squares.tiles),
        first_column(j * squares.side),
        last_column(first_column + squares.side < squares.tiles ? first_column + squares.side
                                                                : squares.tiles),
        row(first_row),
        column(first_column) {}
  STAINFOLD_DEVICE bool done() const { return row == last_row; }
  STAINFOLD_DEVICE void next() {
    if (++column < last_column) return;
    ++row;
    column = first_row == first_column ? row : first_column;
  }
  STAINFOLD_DEVICE bool begins_row() const {
    return column == (first_row == first_column ? row : first_column);
  }
  STAINFOLD_DEVICE bool begins_column() const { return row == first_row; }
  STAINFOLD_DEVICE bool on_diagonal() const { return row == column; }
};

// Parts of a tile's row or column that different warps have reduced: max, sum and positive, [3,entries,128].
constexpr int row_entries = warps_across, column_entries = split_side / warp_rows;
STAINFOLD_DEVICE std::uint32_t part_at(std::uint32_t scratch, int quantity, int entry, int lane) {
  return scratch + 4 * ((quantity * (row_entries + column_entries) + entry) * split_side + lane);
}

// The warp's part of every row (along == 0) or every column (1) of the tile, to the scratch.
template <int along, bool exceptions, typename Block, typename Held, typename Bits>
STAINFOLD_DEVICE void reduce_lines(Block& block, Held& held, Bits& positives_of, std::uint32_t scratch) {
  // A thread's lines: two for each step in their direction; across them it has `across` steps of two.
  constexpr int steps = along == 0 ? row_steps : column_steps;
  constexpr int across = along == 0 ? column_steps : row_steps;
  constexpr int first_mask = along == 0 ? 1 : 4, last_mask = along == 0 ? 2 : 16;
  typename Block::template PerThread<float> top, sum, positive;
  STAINFOLD_UNROLLED
  for (int step = 0; step < steps; ++step) {
    STAINFOLD_UNROLLED
    for (int which = 0; which < 2; ++which) {
      const auto s = [&](int thread, int other, int k) -> float& {
        return along == 0 ? held[thread].sum[step][other][2 * which + k]
                          : held[thread].sum[other][step][2 * k + which];
      };
      block.each([&](int thread) {
        // Not -inf: where all pairs are left out, -inf - -inf would be NaN.
        top[thread] = -3.0e38f;
        STAINFOLD_UNROLLED
        for (int other = 0; other < across; ++other) {
          STAINFOLD_UNROLLED
          for (int k = 0; k < 2; ++k) top[thread] = Top()(top[thread], s(thread, other, k));
        }
      });
      STAINFOLD_UNROLLED
      for (int mask = first_mask; mask <= last_mask; mask *= 2)
        block.butterfly([&](int thread) -> float& { return top[thread]; }, mask, Top());
      block.each([&](int thread) {
        sum[thread] = positive[thread] = 0;
        STAINFOLD_UNROLLED
        for (int other = 0; other < across; ++other) {
          STAINFOLD_UNROLLED
          for (int k = 0; k < 2; ++k) {
            const float value = s(thread, other, k);
            sum[thread] += QuickExponential()(value - top[thread]);
            if constexpr (exceptions) {
              const int m = along == 0 ? step : other, h = along == 0 ? which : k;
              const int n = along == 0 ? other : step, c = along == 0 ? k : which;
              if (positives_of[thread].of[m] >> (h * 2 * column_steps + n * 2 + c) & 1)
                positive[thread] += value;
            }
          }
        }
      });
      STAINFOLD_UNROLLED
      for (int mask = first_mask; mask <= last_mask; mask *= 2) {
        block.butterfly([&](int thread) -> float& { return sum[thread]; }, mask, Sum());
        if constexpr (exceptions)
          block.butterfly([&](int thread) -> float& { return positive[thread]; }, mask, Sum());
      }
      block.each([&](int thread) {
        if (along == 0 ? thread % 4 != 0 : thread % 32 / 4 != 0) return;
        const int warp = thread / 32;
        const int entry = along == 0 ? warp % warps_across : row_entries + warp / warps_across;
        const int lane =
            along == 0 ? fragment_row(thread, step, which) : fragment_column(thread, step, which);
        block.store(thread, part_at(scratch, 0, entry, lane), top[thread]);
        block.store(thread, part_at(scratch, 1, entry, lane), sum[thread]);
        block.store(thread, part_at(scratch, 2, entry, lane), positive[thread]);
      });
    }
  }
}

// Half of the threads merge the tile's rows into their slots, the other half its columns. The same thread has
// the same row in every tile of a square, and finds what it wrote.
template <typename Block>
STAINFOLD_DEVICE void gather(Block& block, const SplitProblem& p, const SquareWalk& walk,
                             std::int32_t row_slot, std::int32_t column_slot, const Gathered& gathered,
                             std::uint32_t scratch) {
  block.each([&](int thread) {
    const bool columns = thread >= split_side;
    const int lane = thread % split_side;
    const std::int32_t row = (columns ? walk.column : walk.row) * split_side + lane;
    if (row >= p.rows) return;
    LogSumExp<float> joined;
    float positive = 0;
    const int first = columns ? row_entries : 0, count = columns ? column_entries : row_entries;
    // A tile on the diagonal has every pair both ways: its rows are all.
    for (int entry = first; entry < first + (columns && walk.on_diagonal() ? 0 : count); ++entry) {
      joined.merge({block.load(thread, part_at(scratch, 0, entry, lane)),
                    block.load(thread, part_at(scratch, 1, entry, lane))});
      positive += block.load(thread, part_at(scratch, 2, entry, lane));
    }
    const std::int64_t at = static_cast<std::int64_t>(columns ? column_slot : row_slot) * p.rows + row;
    if (!(columns ? walk.begins_column() : walk.begins_row())) {
      LogSumExp<float> before{gathered.max[at], gathered.sum[at]};
      before.merge(joined);
      joined = before;
      positive += gathered.positive[at];
    }
    gathered.max[at] = joined.max;
    gathered.sum[at] = joined.sum;
    gathered.positive[at] = positive;
  });
}

// Online logsumexp and sum over positives of the rows of square i and of square j >= i, from the tiles
// between them.
template <typename Block>
STAINFOLD_DEVICE void gather_square(Block& block, const SplitProblem& p, const Squares& squares,
                                    std::int32_t i, std::int32_t j, const Gathered& gathered) {
  typename Block::template PerThread<Fragments> held;
  typename Block::template PerThread<PairBits> positives_of;
  const std::int32_t slices = (p.dim - 1) / split_depth + 1;
  const auto copy = [&](const SquareWalk& walk, std::int32_t slice, std::uint32_t stage) {
    copy_rows(block, stage, p.zn, walk.row * split_side, slice);
    copy_rows(block, stage + operand_bytes, p.zn, walk.column * split_side, slice);
  };
  const auto finish = [&](const SquareWalk& walk, std::uint32_t scratch) {
    const Place at{walk.row * split_side, walk.column * split_side};
    block.sync();  // the scratch is the stage that other warps may still be reading
    if (has_exceptions(p, at.row0, at.column0)) {
      similarities_of<true>(block, held, positives_of, p, at);
      reduce_lines<0, true>(block, held, positives_of, scratch);
      if (!walk.on_diagonal()) reduce_lines<1, true>(block, held, positives_of, scratch);
    } else {
      similarities_of<false>(block, held, positives_of, p, at);
      reduce_lines<0, false>(block, held, positives_of, scratch);
      reduce_lines<1, false>(block, held, positives_of, scratch);
    }
    block.sync();
    gather(block, p, walk, j, i == j ? squares.count : i, gathered, scratch);
  };
  each_tile<Right::rows>(block, held, SquareWalk(squares, i, j), slices, copy, finish);
}

}  // namespace stainfold::compaction
