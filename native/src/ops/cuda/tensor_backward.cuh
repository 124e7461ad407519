// The gradient of the compaction loss on tensor cores: tiles of s are computed again, their pairs weighed,
// and the weights, a panel of columns at a time, multiplied by zn. W is symmetric: the one product holds what
// a pair does through either of its rows.
#pragma once

#include <cstdint>

#include "ops/cuda/tensor_pairs.cuh"

namespace stainfold::compaction {

// A tile of W, in halves and weight_scale times as large, at the panel's column `panel0`; 0 where a pair is
// left out or padding.
template <bool exceptions, typename Block, typename Held>
STAINFOLD_DEVICE void weigh_pairs(Block& block, Held& held, const SplitProblem& p, const float* lse, Place at,
                                  std::int32_t panel0, std::int32_t panel_blocks, std::uint16_t* panel) {
  typename Block::template PerThread<PairBits> positives_of;
  similarities_of<exceptions>(block, held, positives_of, p, at);
  block.each([&](int thread) {
    const auto lse_of = [&](std::int32_t row) { return row < p.rows ? lse[row] : 0.0f; };
    float column_lse[column_steps][2];
    STAINFOLD_UNROLLED
    for (int n = 0; n < column_steps; ++n) {
      STAINFOLD_UNROLLED
      for (int c = 0; c < 2; ++c) column_lse[n][c] = lse_of(at.column0 + fragment_column(thread, n, c));
    }
    STAINFOLD_UNROLLED
    for (int m = 0; m < row_steps; ++m) {
      STAINFOLD_UNROLLED
      for (int h = 0; h < 2; ++h) {
        const std::int32_t row = at.row0 + fragment_row(thread, m, h);
        const float row_lse = lse_of(row);
        float share = 0;
        if constexpr (exceptions) {
          const std::uint32_t any = positives_of[thread].of[m] >> (h * 2 * column_steps) & 0xffu;
          if (any) share = 2.0f / positives(p.rows, p.tiles, row % p.tiles);
        }
        STAINFOLD_UNROLLED
        for (int n = 0; n < column_steps; ++n) {
          std::uint32_t high = 0, low = 0;
          STAINFOLD_UNROLLED
          for (int c = 0; c < 2; ++c) {
            const float s = held[thread].sum[m][n][2 * h + c];
            bool positive = false;
            if constexpr (exceptions)
              positive = positives_of[thread].of[m] >> (h * 2 * column_steps + n * 2 + c) & 1;
            // exp(-inf) is 0: pairs that are left out weigh nothing.
            const float weight =
                pair_weight(s, row_lse, column_lse[n][c], positive ? share : 0.0f, QuickExponential());
            const Halves halves = split(weight * weight_scale);
            high |= static_cast<std::uint32_t>(halves.high) << (16 * c);
            low |= static_cast<std::uint32_t>(halves.low) << (16 * c);
          }
          const std::int32_t column = panel0 + fragment_column(thread, n, 0);
          std::uint16_t* const line =
              panel +
              (static_cast<std::int64_t>(row) * panel_blocks + column / split_depth) * 2 * split_depth +
              column % split_depth;
          *reinterpret_cast<std::uint32_t*>(line) = high;
          *reinterpret_cast<std::uint32_t*>(line + split_depth) = low;
        }
      }
    }
  });
}

// The tile of W at row tile i and column tile j of a panel that begins at `first_column`.
template <typename Block>
STAINFOLD_DEVICE void weigh_tile(Block& block, const SplitProblem& p, const float* lse, std::int32_t i,
                                 std::int32_t j, std::int32_t first_column, std::int32_t panel_blocks,
                                 std::uint16_t* panel)  // [padded rows,panel_blocks,2,32]
{
  typename Block::template PerThread<Fragments> held;
  const Place at{i * split_side, first_column + j * split_side};
  const auto copy = [&](const OneTile&, std::int32_t slice, std::uint32_t stage) {
    copy_rows(block, stage, p.zn, at.row0, slice);
    copy_rows(block, stage + operand_bytes, p.zn, at.column0, slice);
  };
  const auto finish = [&](const OneTile&, std::uint32_t) {
    if (has_exceptions(p, at.row0, at.column0)) {
      weigh_pairs<true>(block, held, p, lse, at, j * split_side, panel_blocks, panel);
    } else {
      weigh_pairs<false>(block, held, p, lse, at, j * split_side, panel_blocks, panel);
    }
  };
  each_tile<Right::rows>(block, held, OneTile{}, (p.dim - 1) / split_depth + 1, copy, finish);
}

// pull += panel zn[first_column ...], a tile of 128 rows and 128 of zn's columns. The first panel, at column
// 0, overwrites.
template <typename Block>
STAINFOLD_DEVICE void pull_tile(Block& block, const SplitProblem& p, SplitMatrix panel, std::int32_t width,
                                std::int32_t first_column, std::int32_t i, std::int32_t j,
                                float* pull)  // [rows,dim]
{
  typename Block::template PerThread<Fragments> held;
  const auto copy = [&](const OneTile&, std::int32_t slice, std::uint32_t stage) {
    copy_rows(block, stage, panel, i * split_side, slice);
    copy_columns(block, stage + operand_bytes, p.zn, first_column + slice * split_depth, j * split_side);
  };
  const auto finish = [&](const OneTile&, std::uint32_t) {
    block.each([&](int thread) {
      constexpr float to_pull = 1 / (weight_scale * unit_scale);
      STAINFOLD_UNROLLED
      for (int m = 0; m < row_steps; ++m) {
        STAINFOLD_UNROLLED
        for (int h = 0; h < 2; ++h) {
          const std::int32_t row = i * split_side + fragment_row(thread, m, h);
          if (row >= p.rows) continue;
          STAINFOLD_UNROLLED
          for (int n = 0; n < column_steps; ++n) {
            STAINFOLD_UNROLLED
            for (int c = 0; c < 2; ++c) {
              const std::int32_t column = j * split_side + fragment_column(thread, n, c);
              if (column >= p.dim) continue;
              float& target = pull[static_cast<std::int64_t>(row) * p.dim + column];
              const float part = held[thread].sum[m][n][2 * h + c] * to_pull;
              target = first_column == 0 ? part : target + part;
            }
          }
        }
      }
    });
  };
  each_tile<Right::columns>(block, held, OneTile{}, width / split_depth, copy, finish);
}

// The gradient of z from the pull, in place, a row a warp: the part of the pull along zn changes |z| only,
// and the normalisation takes it out.
template <typename Block>
STAINFOLD_DEVICE void project_split_rows(Block& block, const SplitProblem& p, std::int32_t row0,
                                         const float* loss_gradient,  // [1]
                                         float* pull)                 // [rows,dim]
{
  typename Block::template PerThread<float> along;
  const auto unit = [&](std::int32_t row, std::int32_t k) {
    const std::uint16_t* const line =
        p.zn.data + (static_cast<std::int64_t>(row) * p.zn.blocks + k / split_depth) * 2 * split_depth +
        k % split_depth;
    return (half_value(line[0]) + half_value(line[split_depth])) / unit_scale;
  };
  const auto row_of = [&](int thread) { return row0 + thread / 32; };
  block.each([&](int thread) {
    along[thread] = 0;
    const std::int64_t start = static_cast<std::int64_t>(row_of(thread)) * p.dim;
    for (std::int32_t k = thread % 32; k < p.dim && row_of(thread) < p.rows; k += 32)
      along[thread] += unit(row_of(thread), k) * pull[start + k];
  });
  reduce_warp(
      block, [&](int thread) -> float& { return along[thread]; }, Sum());
  block.each([&](int thread) {
    const std::int32_t row = row_of(thread);
    if (row >= p.rows) return;
    const std::int64_t start = static_cast<std::int64_t>(row) * p.dim;
    const float scale = p.inverse_norm[row] * (loss_gradient[0] * p.inverse_temperature / p.rows);
    for (std::int32_t k = thread % 32; k < p.dim; k += 32)
      pull[start + k] = (pull[start + k] - unit(row, k) * along[thread]) * scale;
  });
}

}  // namespace stainfold::compaction
