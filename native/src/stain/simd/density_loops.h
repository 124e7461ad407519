// What the classical methods do to pixels, a run of at most kRun of them at a time: planes of optical density
// in the first-level cache, never of a whole tile.
#pragma once

#include <array>
#include <cstdint>

namespace stainfold {

constexpr std::int64_t kRun = 1024;

struct Planes {
  alignas(64) float channel[3][kRun];
};

// table[grey level] of each channel. step: bytes from one pixel to the next, 3 or a multiple.
void look_up(const std::uint8_t* pixels, std::int64_t step, std::int64_t count, const float* table,  // [256]
             Planes& planes);

// Sums over pixels, in float64.
struct DensityMoments {
  double stained = 0;      // pixels whose every channel has a density of kStainedDensity or more
  double sum[3] = {};      // of the stained ones' densities, less kCentre
  double product[6] = {};  // rr, rg, rb, gg, gb, bb of the same
  double positive = 0;     // of all densities above 0, whatever their channel
  static constexpr double kCentre = 0.5;  // near the means, so that few digits cancel
};
void add_moments(const Planes& density, std::int64_t count, DensityMoments& moments);

// The first two of these alone.
struct StainedSums {
  double stained = 0, sum[3] = {};  // densities as they are
};
void add_stained(const Planes& density, std::int64_t count, StainedSums& sums);

// A pixel's direction in a plane as a number that grows with its angle, from -2 at -180 degrees to 2 at 180:
// the quadrants of the taxicab circle. NaN where the pixel is not stained.
struct PlaneAxes {
  float axis[2][3];
};
void directions(const Planes& density, std::int64_t count, const PlaneAxes& axes, float* direction);

// row . density
void project(const Planes& density, std::int64_t count, const std::array<float, 3>& row, float* amount);

// bin[i] of the range [low, low + kBins / scale), what lies outside in the first or last; NaN in bin kBins.
constexpr std::int32_t kBins = 4096;
void place_in_bins(const float* values, std::int64_t count, float low, float scale, std::uint16_t* bin);

// Appends the values that lie in `wanted`; returns how many. found: room for all.
std::int64_t values_in_bin(const float* values, const std::uint16_t* bin, std::int64_t count,
                           std::uint16_t wanted, float* found);

// pixels = glass exp(-map density), cut off at 255, fractions dropped.
void write_light(const Planes& density, std::int64_t count, const std::array<float, 9>& map, float glass,
                 std::uint8_t* pixels);

}  // namespace stainfold
