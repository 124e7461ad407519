// What a grey level means, for every way to read tiles as bytes: the same digits everywhere.
#pragma once

#include <array>

namespace stainfold {

using Levels = std::array<float, 256>;

const Levels& density_levels();  // the very numbers that optical_density() gives
const Levels& linear_levels();   // sRGB's decoding

// Linear light to XYZ relative to white, and back.
struct ColourSpaces {
  std::array<float, 9> xyz_of_rgb{}, rgb_of_xyz{};
};
const ColourSpaces& colour_spaces();

}  // namespace stainfold
