// The arithmetic of the compaction loss that the CPU and the CUDA kernels share: which pairs count and how,
// the online logsumexp, the weight of a pair in the gradient. Plain C++17 for host and device; no LibTorch.
#pragma once

#include <cmath>
#include <cstdint>

#ifdef __CUDACC__
#define STAINFOLD_HOST_DEVICE __host__ __device__ __forceinline__
#else
#define STAINFOLD_HOST_DEVICE inline
#endif

namespace stainfold::compaction {

// A row whose largest entry is below this counts as zero: its direction is noise, and 1/|z| would overflow.
constexpr double zero_row = 1e-30;

// What row j is to row i.
enum class Relation { self, positive, negative, excluded };

struct Row {
  std::int32_t index;
  std::int32_t tile;
  std::int64_t group;  // negative: belongs to none
};

STAINFOLD_HOST_DEVICE Row row_at(std::int32_t index, std::int32_t tiles,
                                 const std::int64_t* group) {  // [tiles] or null
  const std::int32_t tile = index % tiles;
  return Row{index, tile, group ? group[tile] : -1};
}

STAINFOLD_HOST_DEVICE Relation relation(const Row& i, const Row& j) {
  if (i.index == j.index) return Relation::self;
  if (i.tile == j.tile) return Relation::positive;
  return i.group >= 0 && i.group == j.group ? Relation::excluded : Relation::negative;
}

// |P(i)| of every row of the tile. With view-major rows the last view may cover only the first rows % tiles
// tiles.
STAINFOLD_HOST_DEVICE std::int32_t positives(std::int32_t rows, std::int32_t tiles, std::int32_t tile) {
  return rows / tiles + (tile < rows % tiles ? 1 : 0) - 1;
}

// |zn|^2 / 2: |zn| is 1, or 0 for a zero row.
template <typename T>
STAINFOLD_HOST_DEVICE T half_square(bool unit) {
  return unit ? T(0.5) : T(0);
}

// s_ij = -|zn_i - zn_j|^2 / (2 temperature), of the dot product zn_i . zn_j.
template <typename T>
STAINFOLD_HOST_DEVICE T similarity(T dot, bool unit_i, bool unit_j, T inverse_temperature) {
  return (dot - (half_square<T>(unit_i) + half_square<T>(unit_j))) * inverse_temperature;
}

// log(sum(exp(s))) over terms that arrive one by one or as partial results. A NaN term makes the value NaN.
template <typename T>
struct LogSumExp {
  T max = -INFINITY;
  T sum = 0;  // of exp(s - max); 0 means that nothing has been added

  STAINFOLD_HOST_DEVICE void add(T s) {
    if (s > max) {
      sum = sum * std::exp(max - s) + T(1);
      max = s;
    } else {
      sum += std::exp(s - max);
    }
  }

  STAINFOLD_HOST_DEVICE void merge(const LogSumExp& other) {
    if (other.sum == T(0)) return;  // exp(-inf - -inf) would be NaN
    if (sum == T(0)) {
      *this = other;
      return;
    }
    const T top = other.max > max ? other.max : max;
    sum = sum * std::exp(max - top) + other.sum * std::exp(other.max - top);
    max = top;
  }

  STAINFOLD_HOST_DEVICE T value() const { return max + std::log(sum); }
};

struct Exponential {
  template <typename T>
  STAINFOLD_HOST_DEVICE T operator()(T x) const {
    return std::exp(x);
  }
};

// M (dL/ds_ij + dL/ds_ji): s is symmetric, so each pair acts through both of its arguments. positive_share is
// 1/|P(i)| + 1/|P(j)| for a positive, 0 for a negative; a positive has |P(i)| = |P(j)|, both being of one
// tile.
template <typename T, typename Exp = Exponential>
STAINFOLD_HOST_DEVICE T pair_weight(T s, T lse_i, T lse_j, T positive_share, Exp exponential = {}) {
  return exponential(s - lse_i) + exponential(s - lse_j) - positive_share;
}

}  // namespace stainfold::compaction
