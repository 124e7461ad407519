#include "train/simd/adamw_loops.h"

#include <algorithm>
#include <cmath>

#include "core/instruction_sets.h"

namespace stainfold {

STAINFOLD_CLONES
void adamw_update(const AdamwStep& step, std::int64_t count, const float* __restrict gradient,
                  float* __restrict value, float* __restrict mean, float* __restrict square) {
  const AdamwStep by = step;
  for (std::int64_t i = 0; i < count; ++i) {
    const float slope = gradient[i] * by.scale;
    const float m = mean[i] + (slope - mean[i]) * by.follow;
    const float v = square[i] + (slope * slope - square[i]) * by.square;
    mean[i] = m;
    square[i] = v;
    value[i] = value[i] * by.keep - by.rate * m / (std::sqrt(v) * by.spread + by.epsilon);
  }
}

STAINFOLD_CLONES
double sum_of_squares(const float* values, std::int64_t count) {
  constexpr std::int64_t kLanes = 16,
                         kRun = 64 * kLanes;  // summed in float32 before they are added up in float64
  double total = 0;
  for (std::int64_t first = 0; first < count; first += kRun) {
    const std::int64_t end = std::min(count, first + kRun);
    float sum[kLanes] = {};
    std::int64_t i = first;
    for (; i + kLanes <= end; i += kLanes) {
      for (std::int64_t l = 0; l < kLanes; ++l) sum[l] += values[i + l] * values[i + l];
    }
    for (; i < end; ++i) sum[0] += values[i] * values[i];
    for (std::int64_t l = 0; l < kLanes; ++l) total += static_cast<double>(sum[l]);
  }
  return total;
}

}  // namespace stainfold
