// Reinhard's transfer in CIELAB, a run of at most kRun pixels at a time.
#pragma once

#include <array>
#include <cstdint>

#include "stain/simd/density_loops.h"

namespace stainfold {

// Linear light to XYZ relative to white, and back.
using ColourMatrix = std::array<float, 9>;

// planes: linear red, green, blue on entry; L, a, b on return.
void lab_of_linear(Planes& planes, std::int64_t count, const ColourMatrix& xyz_of_rgb);

// Of what lies off the first pixel, so that few digits cancel: a run is summed in float32, runs in float64.
struct LabMoments {
  double sum[3] = {}, square[3] = {};
  float centre[3] = {};
  std::int64_t pixels = 0;
};
void add_moments(const Planes& lab, std::int64_t count, LabMoments& moments);

// lab * scale + shift, back to sRGB, times 255, fractions dropped.
void write_moved_lab(const Planes& lab, std::int64_t count, const std::array<float, 3>& scale,
                     const std::array<float, 3>& shift, const ColourMatrix& rgb_of_xyz, std::uint8_t* pixels);

}  // namespace stainfold
