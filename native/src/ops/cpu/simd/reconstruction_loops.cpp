#include "ops/cpu/simd/reconstruction_loops.h"

#include <cmath>

#include "core/instruction_sets.h"
#include "ops/charbonnier.h"

namespace stainfold::ops {
namespace {

constexpr int kLanes = 16;  // partial sums, so that adding them up needs no fixed order within a row

template <typename T>
struct Value {
  T loss, slope;
};

// sqrt(x^2 + s^2) - s without cancellation near 0, and its derivative, with one division for both.
template <typename T>
STAINFOLD_INLINE Value<T> charbonnier(T x) {
  constexpr T softness = static_cast<T>(kSoftness);
  const T square = x * x, root = std::sqrt(square + softness * softness), sum = root + softness;
  const T inverse = T(1) / (root * sum);
  return {square * root * inverse, x * sum * inverse};
}

template <typename T>
STAINFOLD_INLINE double plane(const T* output, const T* target, std::int64_t height, std::int64_t width,
                              const ReconstructionCounts& counts, T* gradient, T* scratch) {
  T* here = scratch;              // error of this row
  T* below = scratch + width;     // and of the next
  T* above = below + width;       // slopes of the differences to the row above
  T* down = above + width;        // and to the row below
  T* const right = down + width;  // slopes of the differences to the right
  const T per_pixel = static_cast<T>(1 / counts.pixels), per_vertical = static_cast<T>(1 / counts.vertical),
          per_horizontal = static_cast<T>(1 / counts.horizontal);
  double pixels = 0, vertical = 0, horizontal = 0;
  const auto add = [](double& total, const T* lanes) {
    T sum = 0;
    for (int l = 0; l < kLanes; ++l) sum += lanes[l];
    total += static_cast<double>(sum);
  };

  for (std::int64_t x = 0; x < width; ++x) here[x] = output[x] - target[x];
  for (std::int64_t x = 0; x < width; ++x) above[x] = 0;
  for (std::int64_t y = 0; y < height; ++y) {
    T* const row = gradient + y * width;
    T lanes[kLanes] = {};
    std::int64_t x = 0;
    for (; x + kLanes <= width; x += kLanes) {
      for (int l = 0; l < kLanes; ++l) {
        const Value<T> value = charbonnier(here[x + l]);
        lanes[l] += value.loss;
        row[x + l] = value.slope * per_pixel;
      }
    }
    for (; x < width; ++x) {
      const Value<T> value = charbonnier(here[x]);
      lanes[0] += value.loss;
      row[x] = value.slope * per_pixel;
    }
    add(pixels, lanes);

    T across[kLanes] = {};
    for (x = 0; x + kLanes <= width - 1; x += kLanes) {
      for (int l = 0; l < kLanes; ++l) {
        const Value<T> value = charbonnier(here[x + l + 1] - here[x + l]);
        across[l] += value.loss;
        right[x + l] = value.slope;
      }
    }
    for (; x < width - 1; ++x) {
      const Value<T> value = charbonnier(here[x + 1] - here[x]);
      across[0] += value.loss;
      right[x] = value.slope;
    }
    right[width - 1] = 0;
    add(horizontal, across);
    row[0] -= right[0] * per_horizontal;
    for (x = 1; x < width; ++x) row[x] += (right[x - 1] - right[x]) * per_horizontal;

    if (y + 1 < height) {
      const T* const next_output = output + (y + 1) * width;
      const T* const next_target = target + (y + 1) * width;
      T along[kLanes] = {};
      for (x = 0; x + kLanes <= width; x += kLanes) {
        for (int l = 0; l < kLanes; ++l) {
          below[x + l] = next_output[x + l] - next_target[x + l];
          const Value<T> value = charbonnier(below[x + l] - here[x + l]);
          along[l] += value.loss;
          down[x + l] = value.slope;
        }
      }
      for (; x < width; ++x) {
        below[x] = next_output[x] - next_target[x];
        const Value<T> value = charbonnier(below[x] - here[x]);
        along[0] += value.loss;
        down[x] = value.slope;
      }
      add(vertical, along);
    } else {
      for (x = 0; x < width; ++x) down[x] = 0;
    }
    for (x = 0; x < width; ++x) row[x] += (above[x] - down[x]) * per_vertical;
    T* const done = here;
    here = below;
    below = done;
    T* const passed = above;
    above = down;
    down = passed;
  }
  return pixels / counts.pixels + vertical / counts.vertical + horizontal / counts.horizontal;
}

}  // namespace

STAINFOLD_CLONES
double reconstruction_plane(const float* output, const float* target, std::int64_t height, std::int64_t width,
                            const ReconstructionCounts& counts, float* gradient, float* scratch) {
  return plane(output, target, height, width, counts, gradient, scratch);
}

double reconstruction_plane(const double* output, const double* target, std::int64_t height,
                            std::int64_t width, const ReconstructionCounts& counts, double* gradient,
                            double* scratch) {
  return plane(output, target, height, width, counts, gradient, scratch);
}

}  // namespace stainfold::ops
