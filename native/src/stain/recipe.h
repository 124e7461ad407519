// A list of transforms as one renderer: it lays their parameters out side by side, draws them together, and
// fuses neighbours that are one pass over the pixels.
#pragma once

#include <ATen/core/Generator.h>
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>
#include <vector>

#include "stainfold/transforms.h"

namespace stainfold {

// What a transform draws anew for every view. Undefined where it draws nothing.
struct ViewDraw {
  at::Tensor value;  // [V], CPU: amount of blur, quality, seed of noise
  at::Tensor rows;   // int64, CPU: the views concerned
};

class Recipe {
 public:
  // Throws ErrorCode::option for what is out of range, or for an empty list.
  explicit Recipe(std::vector<Transform> transforms);

  std::int64_t columns() const { return columns_; }

  // Rows of parameters from the prior.
  at::Tensor draw(std::int64_t count, at::Generator generator) const;  // -> [count,P] float32, CPU
  std::vector<ViewDraw> draw_views(std::int64_t rows, at::Generator generator) const;  // one a transform

  // draws: of the same rows; without, neither blur nor re-compression, and noise is the row's own.
  at::Tensor render(const at::Tensor& grey,                   // [B,3,H,W] float32, grey levels 0..255
                    const at::Tensor& theta,                  // [V,P] CPU, V = K*B view-major
                    const std::vector<ViewDraw>& draws = {},  // one a transform, or none
                    const at::Tensor& tiles = {}) const;  // [B,H,W,3] uint8 of which `grey` is, if there are
                                                          // -> [V,3,H,W] float32 in [0,1]

 private:
  struct Place {
    std::int64_t own, shared;  // first column of its parameters, and of the deviates that they share
  };

  std::vector<Transform> transforms_;
  std::vector<Place> places_;
  std::int64_t columns_ = 0, shared_ = 0;
};

}  // namespace stainfold
