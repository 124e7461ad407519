// AdamW's arithmetic, one pass over memory: 16 bytes read and 12 written a weight.
#pragma once

#include <cstdint>

namespace stainfold {

struct AdamwStep {
  float scale;           // of the gradient
  float keep;            // 1 - learning rate * decay: the share of the weight that decay leaves
  float follow, square;  // shares of the new gradient in the mean, of its square in the mean square
  float rate;            // learning rate, with the mean's bias of the first steps taken out
  float spread;          // of the root of the mean square, which takes its bias out
  float epsilon;
};

void adamw_update(const AdamwStep& step, std::int64_t count, const float* gradient, float* value, float* mean,
                  float* square);

double sum_of_squares(const float* values, std::int64_t count);

}  // namespace stainfold
