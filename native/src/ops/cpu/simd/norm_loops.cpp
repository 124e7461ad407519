#include "ops/cpu/simd/norm_loops.h"

#include <algorithm>

#include "core/instruction_sets.h"

namespace stainfold::ops {
namespace {

constexpr std::int64_t kRows = 64;  // summed in float32 before they are added up in float64

template <bool kMasked>
STAINFOLD_INLINE float passed(float x, float gradient, float scale, float offset) {
  return !kMasked || x * scale + offset > 0 ? gradient : 0.0F;
}

template <bool kMasked>
STAINFOLD_INLINE void add_gradients(const float* __restrict x, const float* __restrict gradient,
                                    std::int64_t rows, std::int64_t columns, const NormColumns& of,
                                    float* __restrict sums, float* __restrict moments) {
  const float* __restrict scale = of.scale;
  const float* __restrict offset = of.offset;
  const float* __restrict mean = of.mean;
  for (std::int64_t r = 0; r < rows; ++r) {
    const float* const from = x + r * columns;
    const float* const slope = gradient + r * columns;
    for (std::int64_t c = 0; c < columns; ++c) {
      const float value = from[c], given = slope[c];
      const float g = passed<kMasked>(value, given, scale[c], offset[c]);
      sums[c] += g;
      moments[c] += g * (value - mean[c]);
    }
  }
}

template <bool kMasked>
STAINFOLD_INLINE void write_gradient(const float* __restrict x, const float* __restrict gradient,
                                     std::int64_t rows, std::int64_t columns, const NormColumns& of,
                                     const float* __restrict across, const float* __restrict along,
                                     float* __restrict dx) {
  const float* __restrict scale = of.scale;
  const float* __restrict offset = of.offset;
  const float* __restrict mean = of.mean;
  for (std::int64_t r = 0; r < rows; ++r) {
    const float* const from = x + r * columns;
    const float* const slope = gradient + r * columns;
    float* const to = dx + r * columns;
    for (std::int64_t c = 0; c < columns; ++c) {
      const float value = from[c], given = slope[c];
      const float g = passed<kMasked>(value, given, scale[c], offset[c]);
      to[c] = scale[c] * g - across[c] * (value - mean[c]) - along[c];
    }
  }
}

}  // namespace

STAINFOLD_CLONES
void norm_moments(const float* __restrict x, std::int64_t rows, std::int64_t columns, double* __restrict mean,
                  double* __restrict square, float* __restrict scratch) {
  float* const __restrict centre = scratch;
  float* const __restrict spread = scratch + columns;
  std::fill_n(mean, columns, 0.0);
  std::fill_n(square, columns, 0.0);
  for (std::int64_t first = 0; first < rows; first += kRows) {
    const std::int64_t count = std::min(kRows, rows - first);
    const float* const block = x + first * columns;
    std::fill_n(scratch, 2 * columns, 0.0F);
    for (std::int64_t r = 0; r < count; ++r) {
      const float* const row = block + r * columns;
      for (std::int64_t c = 0; c < columns; ++c) centre[c] += row[c];
    }
    const float share = 1.0F / static_cast<float>(count);
    for (std::int64_t c = 0; c < columns; ++c) centre[c] *= share;
    for (std::int64_t r = 0; r < count; ++r) {
      const float* const row = block + r * columns;
      for (std::int64_t c = 0; c < columns; ++c) {
        const float off = row[c] - centre[c];
        spread[c] += off * off;
      }
    }
    // Chan, Golub & LeVeque 1979: two sets' moments to those of both.
    const auto n = static_cast<double>(count), before = static_cast<double>(first), total = before + n;
    const double part = n / total, both = before * n / total;
    for (std::int64_t c = 0; c < columns; ++c) {
      const double gap = static_cast<double>(centre[c]) - mean[c];
      mean[c] += gap * part;
      square[c] += static_cast<double>(spread[c]) + gap * gap * both;
    }
  }
}

STAINFOLD_CLONES
void norm_apply(const float* __restrict x, const float* __restrict residual, std::int64_t rows,
                std::int64_t columns, const NormColumns& of, bool relu, float* __restrict y) {
  const float* __restrict scale = of.scale;
  const float* __restrict offset = of.offset;
  // NaN is not below 0, and goes on.
  for (std::int64_t r = 0; r < rows; ++r) {
    const float* const from = x + r * columns;
    float* const to = y + r * columns;
    if (residual != nullptr) {
      const float* const added = residual + r * columns;
      if (relu) {
        for (std::int64_t c = 0; c < columns; ++c) {
          const float value = from[c] * scale[c] + offset[c] + added[c];
          to[c] = value < 0 ? 0.0F : value;
        }
      } else {
        for (std::int64_t c = 0; c < columns; ++c) to[c] = from[c] * scale[c] + offset[c] + added[c];
      }
    } else if (relu) {
      for (std::int64_t c = 0; c < columns; ++c) {
        const float value = from[c] * scale[c] + offset[c];
        to[c] = value < 0 ? 0.0F : value;
      }
    } else {
      for (std::int64_t c = 0; c < columns; ++c) to[c] = from[c] * scale[c] + offset[c];
    }
  }
}

STAINFOLD_CLONES
void norm_gradient_sums(const float* __restrict x, const float* __restrict gradient, std::int64_t rows,
                        std::int64_t columns, const NormColumns& of, bool masked, double* __restrict sum,
                        double* __restrict moment, float* __restrict scratch) {
  float* const __restrict sums = scratch;
  float* const __restrict moments = scratch + columns;
  for (std::int64_t first = 0; first < rows; first += kRows) {
    const std::int64_t count = std::min(kRows, rows - first), at = first * columns;
    std::fill_n(scratch, 2 * columns, 0.0F);
    if (masked) {
      add_gradients<true>(x + at, gradient + at, count, columns, of, sums, moments);
    } else {
      add_gradients<false>(x + at, gradient + at, count, columns, of, sums, moments);
    }
    for (std::int64_t c = 0; c < columns; ++c) {
      sum[c] += static_cast<double>(sums[c]);
      moment[c] += static_cast<double>(moments[c]);
    }
  }
}

STAINFOLD_CLONES
void rectified_gradient(const float* __restrict gradient, const float* __restrict y, std::int64_t count,
                        float* __restrict g) {
  for (std::int64_t i = 0; i < count; ++i) {
    const float given = gradient[i];
    g[i] = y[i] > 0 ? given : 0.0F;
  }
}

STAINFOLD_CLONES
void norm_gradient(const float* __restrict x, const float* __restrict gradient, std::int64_t rows,
                   std::int64_t columns, const NormColumns& of, bool masked, const float* __restrict across,
                   const float* __restrict along, float* __restrict dx) {
  if (masked) {
    write_gradient<true>(x, gradient, rows, columns, of, across, along, dx);
  } else {
    write_gradient<false>(x, gradient, rows, columns, of, across, along, dx);
  }
}

}  // namespace stainfold::ops
