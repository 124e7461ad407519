// The tile being painted: concentrations of both stains, addressed in micrometres.
#pragma once

#include <cstdint>
#include <vector>

#include "phantom/noise.h"

namespace stainfold::phantom {

struct Stain {  // concentrations
  float h, e;
};

inline Stain mix(Stain a, Stain b, float t) { return {mix(a.h, b.h, t), mix(a.e, b.e, t)}; }

class Canvas {
 public:
  // planes: haematoxylin, then eosin, size * size each.
  Canvas(float* planes, std::int64_t size, float mpp)
      : h_(planes), e_(planes + size * size), size_(size), mpp_(mpp) {}

  float mpp() const { return mpp_; }
  float extent() const { return static_cast<float>(size_) * mpp_; }  // micrometres

  // Half of an edge's width: the section's own softness and half a pixel, which makes edges free of steps.
  float edge() const { return 0.25F + 0.5F * mpp_; }

  // shade(Point) -> Stain, for every pixel.
  template <class Shade>
  void fill(const Shade& shade) {
    for (std::int64_t row = 0; row < size_; ++row) {
      for (std::int64_t column = 0; column < size_; ++column) set(row, column, shade(centre(row, column)));
    }
  }

  // change(Point, Stain before) -> Stain, for the pixels within `reach` of a point.
  template <class Change>
  void repaint(Point at, float reach, const Change& change) {
    const std::int64_t top = pixel(at.y - reach), bottom = pixel(at.y + reach + mpp_);
    const std::int64_t left = pixel(at.x - reach), right = pixel(at.x + reach + mpp_);
    for (std::int64_t row = top; row < bottom; ++row) {
      for (std::int64_t column = left; column < right; ++column) {
        const std::int64_t i = row * size_ + column;
        set(row, column, change(centre(row, column), Stain{h_[i], e_[i]}));
      }
    }
  }

 private:
  Point centre(std::int64_t row, std::int64_t column) const {
    return {(static_cast<float>(column) + 0.5F) * mpp_, (static_cast<float>(row) + 0.5F) * mpp_};
  }
  std::int64_t pixel(float micrometres) const {
    return std::clamp(static_cast<std::int64_t>(std::floor(micrometres / mpp_)), std::int64_t{0}, size_);
  }
  void set(std::int64_t row, std::int64_t column, Stain stain) {
    h_[row * size_ + column] = stain.h;
    e_[row * size_ + column] = stain.e;
  }

  float *h_, *e_;
  std::int64_t size_;
  float mpp_;
};

}  // namespace stainfold::phantom
