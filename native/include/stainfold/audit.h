// What a source's tiles are like before anyone trains on them: stain, colour, focus, and what is twice there.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace stainfold {

// Columns of audit_tiles().
namespace audit {
constexpr std::int64_t kLogPeak = 0;  // 2: ln of the 99th percentile of concentration, haematoxylin and eosin
constexpr std::int64_t kAngle = 2;    // 4: of each stain vector, degrees: atan2(blue, green), then asin(red)
constexpr std::int64_t kStatus = 6;   // 1: SeparationStatus: 0 estimated, 1 fallback, 2 blank
constexpr std::int64_t kLabMean = 7;  // 3: mean of L, a, b
constexpr std::int64_t kLabSpread = 10;  // 3: their deviations
constexpr std::int64_t kWhite = 13;      // 1: share of pixels that show glass
constexpr std::int64_t kSharpness = 14;  // 1: share of detail of 1 to 2 pixels in that of 1 to 8, 0 to 1
constexpr std::int64_t kHash = 15;       // 4: difference hash, 16 bits a column
constexpr std::int64_t kColumns = 19;
}  // namespace audit

at::Tensor audit_tiles(const at::Tensor& tiles);  // [N,H,W,3] uint8, sides >= 16 -> [N,19] float32

}  // namespace stainfold
