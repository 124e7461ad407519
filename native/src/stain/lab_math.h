// CIELAB of one pixel under D65, for host and device; see stain/pixel_math.h.
#pragma once

#include "core/instruction_sets.h"
#include "core/vector_math.h"
#include "stain/srgb.h"

namespace stainfold {

STAINFOLD_INLINE float lightness_of(float t) {
  const float below = static_cast<float>(srgb::kLinearBelow);
  const float curved = vector_power(t > below ? t : below, static_cast<float>(1.0 / 3.0));
  const float straight = t * static_cast<float>(srgb::kSlope) + static_cast<float>(srgb::kIntercept);
  return t > below ? curved : straight;
}

STAINFOLD_INLINE float light_of(float f) {
  const float straight = (f - static_cast<float>(srgb::kIntercept)) * static_cast<float>(1.0 / srgb::kSlope);
  return f > static_cast<float>(srgb::kCubeAbove) ? f * f * f : straight;
}

// sRGB of linear light; what is below 0 or above 1 is clipped.
STAINFOLD_INLINE float encoded(float linear) {
  const float below = static_cast<float>(srgb::kStraightLight);
  const float light = linear < 1.0F ? linear : 1.0F;
  const float curved =
      vector_power(light > below ? light : below, static_cast<float>(1 / 2.4)) * 1.055F - 0.055F;
  const float value = light > below ? curved : light * 12.92F;
  return value > 0 ? (value < 1.0F ? value : 1.0F) : 0.0F;
}

}  // namespace stainfold
