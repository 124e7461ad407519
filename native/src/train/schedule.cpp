#include "train/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace stainfold {
namespace {

constexpr double kFloor = 0.01;  // share of the peak that is left at the end

}  // namespace

double Schedule::learning_rate(std::int64_t step) const {
  if (step < warmup_steps) return peak * static_cast<double>(step + 1) / static_cast<double>(warmup_steps);
  const auto length = static_cast<double>(std::max<std::int64_t>(1, total_steps - warmup_steps));
  const double p = std::min(1.0, static_cast<double>(step - warmup_steps) / length);
  return peak * (kFloor + (1.0 - kFloor) * 0.5 * (1.0 + std::cos(std::numbers::pi * p)));
}

double Schedule::adversary_ramp(std::int64_t step) const {
  const double p = std::min(1.0, static_cast<double>(step) / static_cast<double>(total_steps));
  return 2.0 / (1.0 + std::exp(-10.0 * p)) - 1.0;
}

double LinearDecay::learning_rate(std::int64_t step) const {
  if (step < constant_steps) return peak;
  if (step >= total_steps) return 0.0;
  return peak * static_cast<double>(total_steps - step) /
         static_cast<double>(total_steps - constant_steps + 1);
}

}  // namespace stainfold
