// What changes over a run: the learning rate and the adversary's weight.
#pragma once

#include <cstdint>

namespace stainfold {

struct Schedule {
  double peak;                // learning rate after the warm-up
  std::int64_t warmup_steps;  // linear, the first step is peak / warmup_steps
  std::int64_t total_steps;   // then half a cosine down to 1 % of the peak, where it stays

  double learning_rate(std::int64_t step) const;  // step >= 0 counts the steps already done

  // 2 / (1 + exp(-10 p)) - 1 over progress p in [0,1] (Ganin et al. 2016): the encoder first learns tissue.
  double adversary_ramp(std::int64_t step) const;
};

// Constant, then linear down to 0: the schedule of Zhu et al. 2017.
struct LinearDecay {
  double peak;
  std::int64_t constant_steps;  // in [0, total_steps]
  std::int64_t total_steps;

  double learning_rate(
      std::int64_t step) const;  // step >= 0 counts the steps already done; above 0 before the end
};

}  // namespace stainfold
