// render_region for any source of pixels.
#pragma once

#include <cstdint>
#include <functional>

#include "stainfold/slide.h"

namespace stainfold {

// Writes the level pixels of a window, RGB and row by row, where it has any: what it leaves is white.
using FillWindow = std::function<void(const SlideWindow& window, std::uint8_t* pixels)>;

at::Tensor resample_window(const FillWindow& fill, std::int64_t level_width, std::int64_t level_height,
                           const SlideGeometry& geometry);  // -> [height,width,3] uint8

}  // namespace stainfold
