// Tiles of 128 x 128 of a product of split matrices on tensor cores, by 8 warps of 64 x 32 each. Slices of 32
// columns come through three stages of shared memory, copied while earlier ones are multiplied; the slices of
// the next tile are on their way while a tile is finished.
//
// A row of a slice is 128 bytes: 32 high and 32 low halves, in 8 pieces of 16 bytes. Piece c of row r lies at
// place c ^ (r & 7), so that the 8 rows that ldmatrix reads at once lie in different banks.
#pragma once

#include <cstdint>

#include "ops/cuda/compaction_problem.h"
#include "ops/cuda/split_float.h"

#ifdef __CUDACC__
#define STAINFOLD_DEVICE __device__ __forceinline__
#define STAINFOLD_UNROLLED _Pragma("unroll")
#else
#define STAINFOLD_DEVICE inline
#define STAINFOLD_UNROLLED
#endif

namespace stainfold::compaction {

constexpr int split_side = 128;  // rows and columns of a tile
constexpr int split_depth = 32;  // columns of a slice
constexpr int split_threads = 256;
constexpr int split_stages = 3;
constexpr int piece_bytes = 16;
constexpr int slice_row_bytes = 4 * split_depth;
constexpr int operand_bytes = split_side * slice_row_bytes;
constexpr int stage_bytes = 2 * operand_bytes;
constexpr int split_shared_bytes =
    split_stages * stage_bytes;  // 96 KiB: two blocks on an H100, one on an RTX

constexpr int warps_across = 4;                   // warps along a tile's columns
constexpr int warp_rows = 64, warp_columns = 32;  // of a warp's part
constexpr int row_steps = warp_rows / 16;         // products of 16 x 8 in it
constexpr int column_steps = warp_columns / 8;
constexpr int copies_a_thread = operand_bytes / piece_bytes / split_threads;

// What a thread holds of its warp's part.
struct Fragments {
  float sum[row_steps][column_steps][4];
  float part[2][4];                             // of 16 columns
  std::uint32_t left[2][4];                     // high and low
  std::uint32_t right[2][column_steps / 2][4];  // two neighbouring steps at a time
};

// Where in the tile a thread's sum [step][..][2 h + c] belongs.
STAINFOLD_DEVICE int fragment_row(int thread, int step, int h) {
  return thread / 32 / warps_across * warp_rows + step * 16 + h * 8 + thread % 32 / 4;
}
STAINFOLD_DEVICE int fragment_column(int thread, int step, int c) {
  return thread / 32 % warps_across * warp_columns + step * 8 + thread % 4 * 2 + c;
}

// A slice of an operand, line by line: threads that follow one another read the pieces of a line, and a
// thread's further pieces lie at the same place of lines further on.
template <int line_pieces, typename Block>
STAINFOLD_DEVICE void copy_lines(Block& block, std::uint32_t to, const SplitMatrix& from, std::int32_t row0,
                                 std::int32_t slice) {
  constexpr int lines = split_threads / line_pieces;  // at a time: a multiple of 8, so that places repeat
  static_assert(lines % 8 == 0);
  block.each([&](int thread) {
    const int row = thread / line_pieces, piece = thread % line_pieces;
    const std::uint16_t* source =
        from.data + (static_cast<std::int64_t>(row0 + row) * from.blocks + slice) * 2 * split_depth +
        piece * 8;
    const std::int64_t step = static_cast<std::int64_t>(from.blocks) * lines * 2 * split_depth;
    const std::uint32_t target = to + (row * line_pieces + (piece ^ (row & 7))) * piece_bytes;
    STAINFOLD_UNROLLED
    for (int i = 0; i < copies_a_thread; ++i, source += step)
      block.copy(thread, target + i * split_threads * piece_bytes, source);
  });
}

// 128 rows of one slice.
template <typename Block>
STAINFOLD_DEVICE void copy_rows(Block& block, std::uint32_t to, const SplitMatrix& from, std::int32_t row0,
                                std::int32_t slice) {
  copy_lines<8>(block, to, from, row0, slice);
}

// 32 rows of 128 columns, to be multiplied along the rows: four slices side by side.
template <typename Block>
STAINFOLD_DEVICE void copy_columns(Block& block, std::uint32_t to, const SplitMatrix& from, std::int32_t row0,
                                   std::int32_t column0) {
  copy_lines<32>(block, to, from, row0, column0 / split_depth);
}

// How the right factor lies in shared memory: as copy_rows left it (left right^T), or as copy_columns did.
enum class Right { rows, columns };

// sum += left right over one slice.
template <Right lies, typename Block, typename Held>
STAINFOLD_DEVICE void multiply_slice(Block& block, Held& held, std::uint32_t stage) {
  STAINFOLD_UNROLLED
  for (int step = 0; step < split_depth / 16; ++step) {
    STAINFOLD_UNROLLED
    for (int half = 0; half < 2; ++half) {
      STAINFOLD_UNROLLED
      for (int pair = 0; pair < column_steps / 2; ++pair) {
        block.template load_matrices<lies == Right::columns>(
            [&](int thread) -> std::uint32_t {
              const int lane = thread % 32, across = thread / 32 % warps_across;
              const std::uint32_t base = stage + operand_bytes;
              if constexpr (lies == Right::rows) {
                const int row = across * warp_columns + pair * 16 + lane / 16 * 8 + lane % 8;
                const int piece = half * 4 + step * 2 + lane / 8 % 2;
                return base + row * slice_row_bytes + (piece ^ (row & 7)) * piece_bytes;
              } else {
                const int row = step * 16 + lane % 16;
                const int piece = across * 8 + half * 4 + pair * 2 + lane / 16;
                return base + row * 4 * slice_row_bytes + (piece ^ (row & 7)) * piece_bytes;
              }
            },
            [&](int thread) -> std::uint32_t(&)[4] { return held[thread].right[half][pair]; });
      }
    }
    STAINFOLD_UNROLLED
    for (int m = 0; m < row_steps; ++m) {
      STAINFOLD_UNROLLED
      for (int half = 0; half < 2; ++half) {
        block.template load_matrices<false>(
            [&](int thread) -> std::uint32_t {
              const int lane = thread % 32;
              const int row = thread / 32 / warps_across * warp_rows + m * 16 + lane % 16;
              const int piece = half * 4 + step * 2 + lane / 16;
              return stage + row * slice_row_bytes + (piece ^ (row & 7)) * piece_bytes;
            },
            [&](int thread) -> std::uint32_t(&)[4] { return held[thread].left[half]; });
      }
      // Tensor cores line the terms of a sum up with the largest of them and cut off what is below its last
      // bit: every term of a long sum would lose a little, always towards zero. So they sum 16 columns only,
      // the small products first, and a rounded addition takes that to the sum of all.
      STAINFOLD_UNROLLED
      for (int pair = 0; pair < column_steps / 2; ++pair) {
        STAINFOLD_UNROLLED
        for (int term = 0; term < 3; ++term) {
          const int left = term == 0 ? 1 : 0, right = term == 1 ? 1 : 0;
          STAINFOLD_UNROLLED
          for (int n = 0; n < 2; ++n) {
            const auto part_of = [&](int thread) -> float(&)[4] { return held[thread].part[n]; };
            const auto left_of = [&](int thread) -> std::uint32_t(&)[4] { return held[thread].left[left]; };
            const auto right_of = [&](int thread) -> const std::uint32_t* {
              return &held[thread].right[right][pair][n * 2];
            };
            if (term == 0) {
              block.template multiply<true>(part_of, left_of, right_of);
            } else {
              block.template multiply<false>(part_of, left_of, right_of);
            }
          }
        }
        block.each([&](int thread) {
          STAINFOLD_UNROLLED
          for (int n = 0; n < 2; ++n) {
            STAINFOLD_UNROLLED
            for (int k = 0; k < 4; ++k) held[thread].sum[m][pair * 2 + n][k] += held[thread].part[n][k];
          }
        });
      }
    }
  }
}

// Runs through the tiles of `walk` (done(), next()), `slices` slices each: copy(walk, slice, stage's offset)
// starts a slice's way to shared memory, finish(walk, scratch) has the tile's sums, and the memory of one
// stage.
template <Right lies, typename Block, typename Held, typename Walk, typename Copy, typename Finish>
STAINFOLD_DEVICE void each_tile(Block& block, Held& held, Walk walk, std::int32_t slices, Copy copy,
                                Finish finish) {
  Walk ahead = walk;
  std::int32_t slice_ahead = 0;
  const auto fetch = [&](std::uint32_t stage) {
    if (!ahead.done()) {
      copy(ahead, slice_ahead, stage);
      if (++slice_ahead == slices) {
        slice_ahead = 0;
        ahead.next();
      }
    }
    block.commit();  // a group each time, empty at the end: waiting counts groups
  };
  const auto after = [](std::uint32_t stage) {
    return stage + stage_bytes == split_shared_bytes ? 0u : stage + stage_bytes;
  };

  std::uint32_t filled = 0;
  for (int i = 0; i < split_stages - 1; ++i, filled = after(filled)) fetch(filled);
  std::uint32_t stage = 0;
  for (; !walk.done(); walk.next()) {
    block.each([&](int thread) {
      STAINFOLD_UNROLLED
      for (int m = 0; m < row_steps; ++m) {
        STAINFOLD_UNROLLED
        for (int n = 0; n < column_steps; ++n) {
          STAINFOLD_UNROLLED
          for (int k = 0; k < 4; ++k) held[thread].sum[m][n][k] = 0;
        }
      }
    });
    std::uint32_t last = 0;
    for (std::int32_t slice = 0; slice < slices; ++slice) {
      block.template wait<split_stages - 2>();
      block.sync();  // every thread's part has come, and nobody reads the stage before, which is filled next
      fetch(filled);
      filled = after(filled);
      multiply_slice<lies>(block, held, stage);
      last = stage;
      stage = after(stage);
    }
    finish(walk, last);
  }
}

// A single tile.
struct OneTile {
  bool over = false;
  STAINFOLD_DEVICE bool done() const { return over; }
  STAINFOLD_DEVICE void next() { over = true; }
};

}  // namespace stainfold::compaction
