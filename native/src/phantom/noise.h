// Gradient noise over the endless plane of the tissue, in micrometres.
#pragma once

#include <algorithm>

#include "phantom/random.h"

namespace stainfold::phantom {

struct Point {  // micrometres
  float x, y;
};

// 0 below `low`, 1 above `high`, smooth between.
inline float smoothstep(float low, float high, float x) {
  const float t = std::clamp((x - low) / (high - low), 0.0F, 1.0F);
  return t * t * (3 - 2 * t);
}

inline float mix(float a, float b, float t) { return a + (b - a) * t; }

// 1 at 0, 0 from `width` on, smooth between.
inline float bump(float x, float width) {
  const float t = std::max(0.0F, 1 - x * x / (width * width));
  return t * t;
}

// std::floor is a call into libm wherever SSE4.1 is not assumed, and noise asks for it at every pixel.
inline std::int32_t floor_index(float x) {
  const auto truncated = static_cast<std::int32_t>(x);
  return truncated - (x < static_cast<float>(truncated) ? 1 : 0);
}

// Perlin's gradient noise with his quintic fade: about -1 to 1, mean 0, one feature a unit.
inline float gradient_noise(std::uint32_t key, float x, float y) {
  const std::int32_t column = floor_index(x), row = floor_index(y);
  const float fx = x - static_cast<float>(column), fy = y - static_cast<float>(row);
  const auto ix = static_cast<std::uint32_t>(column), iy = static_cast<std::uint32_t>(row);
  const auto corner = [key](std::uint32_t cx, std::uint32_t cy, float dx, float dy) {
    std::uint32_t h = key ^ (cx * 0x9E3779B1U) ^ (cy * 0x85EBCA77U);
    h = (h ^ (h >> 15)) * 0x2C1B3C6DU;
    h ^= h >> 13;
    const float major = h & 1 ? dx : dy, minor = h & 1 ? dy : dx;  // eight directions of slope 1/2
    return (h & 2 ? major : -major) + 0.5F * (h & 4 ? minor : -minor);
  };
  const auto fade = [](float t) { return t * t * t * (t * (t * 6 - 15) + 10); };
  const float u = fade(fx), v = fade(fy);
  return 1.25F * mix(mix(corner(ix, iy, fx, fy), corner(ix + 1, iy, fx - 1, fy), u),
                     mix(corner(ix, iy + 1, fx, fy - 1), corner(ix + 1, iy + 1, fx - 1, fy - 1), u), v);
}

// Noise of one feature size. What a pixel cannot resolve fades out instead of turning into aliased grain.
class Texture {
 public:
  // Feature size along x and y, and the pixel, all in micrometres.
  Texture(Key key, float along, float across, float mpp)
      : key_(static_cast<std::uint32_t>(key >> 32)),
        along_(1 / along),
        across_(1 / across),
        contrast_(smoothstep(0.8F, 2.0F, std::min(along, across) / mpp)) {}
  Texture(Key key, float feature, float mpp) : Texture(key, feature, feature, mpp) {}

  float operator()(float x, float y) const {
    return contrast_ == 0 ? 0 : contrast_ * gradient_noise(key_, x * along_, y * across_);
  }
  float operator()(Point p) const { return (*this)(p.x, p.y); }

 private:
  std::uint32_t key_;
  float along_, across_, contrast_;
};

}  // namespace stainfold::phantom
