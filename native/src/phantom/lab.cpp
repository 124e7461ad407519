#include <array>
#include <cmath>

#include "core/checks.h"
#include "stainfold/phantom.h"

namespace stainfold {
namespace {

constexpr std::int64_t labs = 64;

using Colour = std::array<double, 3>;  // optical density of red, green, blue

// A trait of a lab, -1 to 1: the Kronecker sequence of the root of a prime spreads the labs evenly over each
// trait and over all of them together. Lab 0 stands in the middle; the root below pushes the others away from
// it.
double trait(std::int64_t lab, int prime) {
  const double position = 0.5 + static_cast<double>(lab) * std::sqrt(static_cast<double>(prime));
  const double signed_distance = 2 * (position - std::floor(position)) - 1;
  return std::copysign(std::pow(std::abs(signed_distance), 0.6), signed_distance);
}

// From `low` at -1 over `middle` at 0 to `high` at 1, of unit length.
Colour hue(const Colour& low, const Colour& middle, const Colour& high, double t) {
  const Colour& end = t < 0 ? low : high;
  Colour colour{};
  double squares = 0;
  for (int c = 0; c < 3; ++c) {
    colour[c] = middle[c] + std::abs(t) * (end[c] - middle[c]);
    squares += colour[c] * colour[c];
  }
  for (double& value : colour) value /= std::sqrt(squares);
  return colour;
}

}  // namespace

PhantomLab phantom_lab(std::int64_t lab) {
  check_option(lab >= 0 && lab < labs, "lab must be from 0 to 63, got " + std::to_string(lab));
  // Which prime serves which trait is chosen so that the first eight labs differ most in their mean colour.
  // Haematoxylin from blue to purple, eosin from orange to magenta.
  const Colour h = hue({0.78, 0.57, 0.22}, {0.62, 0.70, 0.34}, {0.48, 0.77, 0.42}, trait(lab, 13));
  const Colour e = hue({0.05, 0.74, 0.62}, {0.13, 0.88, 0.42}, {0.24, 0.90, 0.28}, trait(lab, 11));
  const double strength = std::exp2(0.5 * trait(lab, 19)), balance = std::exp2(0.42 * trait(lab, 5));
  const double warmth = 0.055 * trait(lab, 7), dimness = 0.04 * std::abs(trait(lab, 2));
  const double brightness = 0.965 - dimness;

  PhantomLab result{};
  for (int c = 0; c < 3; ++c) {
    result.stain[2 * c] = h[c];
    result.stain[2 * c + 1] = e[c];
  }
  result.scale = {strength * balance, strength / balance};
  result.gain = {brightness * (1 + 0.6 * warmth), brightness, brightness * (1 - warmth)};
  result.gamma = std::exp2(0.3 * trait(lab, 17));
  result.blur = 0.55 + 0.5 * trait(lab, 23);
  result.noise = 1.6 + 1.3 * trait(lab, 3);
  return result;
}

}  // namespace stainfold
