// The arithmetic of the reconstruction loss, a plane at a time.
#pragma once

#include <cstdint>

namespace stainfold::ops {

// What each of the three means is divided by.
struct ReconstructionCounts {
  double pixels, vertical, horizontal;  // 1 or more
};

// The plane's share of the loss; its gradient by the output. scratch: 5 * width numbers.
double reconstruction_plane(const float* output, const float* target,  // [height,width]
                            std::int64_t height, std::int64_t width, const ReconstructionCounts& counts,
                            float* gradient,  // [height,width]
                            float* scratch);
double reconstruction_plane(const double* output, const double* target, std::int64_t height,
                            std::int64_t width, const ReconstructionCounts& counts, double* gradient,
                            double* scratch);

}  // namespace stainfold::ops
