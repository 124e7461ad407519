// Pixels as the encoder takes them.
#pragma once

#include <cstdint>

namespace stainfold {

// to[3 i + c] = (plane c's i - mean) * scale; planes are `plane` floats apart.
void interleave_centred(const float* from, std::int64_t plane, std::int64_t count, float mean, float scale,
                        float* to);

}  // namespace stainfold
