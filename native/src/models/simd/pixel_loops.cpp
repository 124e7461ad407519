#include "models/simd/pixel_loops.h"

#include "core/instruction_sets.h"

namespace stainfold {

STAINFOLD_CLONES
void interleave_centred(const float* __restrict from, std::int64_t plane, std::int64_t count, float mean,
                        float scale, float* __restrict to) {
  const float* const red = from;
  const float* const green = from + plane;
  const float* const blue = from + 2 * plane;
  for (std::int64_t i = 0; i < count; ++i) {
    to[3 * i] = (red[i] - mean) * scale;
    to[3 * i + 1] = (green[i] - mean) * scale;
    to[3 * i + 2] = (blue[i] - mean) * scale;
  }
}

}  // namespace stainfold
