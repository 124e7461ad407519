// The primitive transforms that a manifold is composed of. Each draws a row of numbers for every virtual lab;
// a number is drawn from a normal distribution about "unchanged", cut off at two standard deviations, unless
// stated. Light is 0 to 1, black to the brightest grey level. A spread of 0 leaves the picture as it is.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <variant>
#include <vector>

namespace stainfold::transform {

// Separates two stains and changes their amount and their colour: OD = M C, C' = a C + b, M' = M turned.
struct Stain {
  // Red, green, blue of either stain, any length: what a tile too weak to separate is taken to hold.
  // Haematoxylin, or whichever absorbs more red, comes first. Ruifrok & Johnston's H&E.
  std::array<double, 6> reference = {0.65, 0.70, 0.29, 0.07, 0.99, 0.11};
  bool estimate = true;        // Macenko's stains of each tile; false: the reference for all
  double tolerance = 180;      // degrees that an estimate may lie from the reference, else it is refused
  double concentration = 0.0;  // of ln(a), per stain
  double background = 0.0;     // of b, optical density
  double rotation = 0.0;       // degrees about the red axis, 0.45 of it about green and blue
  bool uniform = false;        // a uniform in 1 +- concentration and b in +- background instead
};

// Tellez et al.: a and b for haematoxylin, eosin and DAB by Ruifrok's fixed matrix, C' = a C + b.
struct Hed {
  double scale = 0.0;   // a is uniform in 1 +- scale
  double offset = 0.0;  // b is uniform in +- offset, optical density
};

// J' = min(g J, 1), J = (I+1)/256
struct Gain {
  double spread = 0.0;  // of ln(g), per channel
  double common = 0.8;  // share of the variance that the channels have in common, 0 to 1
};

// J' = J^g
struct Gamma {
  double spread = 0.0;  // of ln(g)
};

// I' = I + b
struct Background {
  double spread = 0.0;  // of b, light, per channel
  double common = 0.0;
};

// I' = (I - l) / (h - l): the window of a CT or MRI viewer, l >= 0, so that black stays black.
struct Window {
  double low = 0.0;   // of l, light; its magnitude counts
  double high = 0.0;  // of ln(h)
  double common = 1.0;
};

// I' = I exp(f(x,y)), f a random polynomial of second order: MRI's bias field.
struct BiasField {
  double spread = 0.0;  // of each of the five coefficients of Legendre polynomials over the tile
  double common = 1.0;
};

// I' = I + s n, n standard normal for every pixel and channel.
struct Noise {
  double spread = 0.0;  // of s, light; its magnitude counts
  double shot = 0.0;    // share of the variance that grows with light: 1 photons only, 0 the electronics only
  double common = 0.0;  // share of the variance that the channels have in common
};

// Shen et al. 2022: the tile's mean and deviation in CIELAB become those of a virtual template. L, a, b each.
struct LabTemplate {
  std::array<double, 3> mean = {};              // of the tiles' means
  std::array<double, 3> mean_spread = {};       // their standard deviation
  std::array<double, 3> deviation = {};         // of the tiles' standard deviations
  std::array<double, 3> deviation_spread = {};  // their standard deviation
};

// A blur or, as likely, a sharpening. Drawn for every view, and not part of a lab.
struct Blur {
  double sigma = 0.0;  // the largest, pixels
  double share = 0.5;  // of the views
};

// Re-compression as JPEG. Drawn for every view, and not part of a lab.
struct Jpeg {
  std::int64_t quality_min = 100;  // quality is uniform in [min, 100]; 100 is no change
  double share = 0.5;              // of the views
};

}  // namespace stainfold::transform

namespace stainfold {

using Transform = std::variant<transform::Stain, transform::Hed, transform::Gain, transform::Gamma,
                               transform::Background, transform::Window, transform::BiasField,
                               transform::Noise, transform::LabTemplate, transform::Blur, transform::Jpeg>;

}  // namespace stainfold
