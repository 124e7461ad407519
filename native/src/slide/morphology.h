// Morphology of masks of 0 and 1, [height,width] row by row, in place.
#pragma once

#include <cstdint>

namespace stainfold {

// Dilation, then erosion, by a square of radius pixels to either side. The mask's edge erodes nothing.
void close_mask(std::uint8_t* mask, std::int64_t height, std::int64_t width, std::int64_t radius);

// Clears 8-connected areas of fewer than `smallest` pixels.
void remove_small(std::uint8_t* mask, std::int64_t height, std::int64_t width, std::int64_t smallest);

// Sets 4-connected gaps of at most `largest` pixels that do not touch the edge.
void fill_holes(std::uint8_t* mask, std::int64_t height, std::int64_t width, std::int64_t largest);

}  // namespace stainfold
