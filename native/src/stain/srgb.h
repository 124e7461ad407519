// The numbers of sRGB (IEC 61966-2-1) and CIELAB under D65, as scikit-image has them.
#pragma once

#include <array>

namespace stainfold::srgb {

constexpr std::array<double, 9> kXyzOfRgb = {0.412453, 0.357580, 0.180423, 0.212671, 0.715160,
                                             0.072169, 0.019334, 0.119193, 0.950227};  // rows X, Y, Z
constexpr std::array<double, 3> kWhite = {0.95047, 1.0, 1.08883};                      // 2 degrees
constexpr double kLinearBelow = 0.008856, kSlope = 7.787, kIntercept = 16.0 / 116.0;
constexpr double kCubeAbove = 0.2068966;      // the same bound, on the other side of the curve
constexpr double kStraightLight = 0.0031308;  // below it the encoding is a straight line

}  // namespace stainfold::srgb
