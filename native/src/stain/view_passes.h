// The dear passes of a rendering on the CPU, one after the other for each view: it stays in its core's cache
// from the first to the last, where LibTorch's operations would each read and write the whole batch; those
// are what the tests compare with. On CUDA there is a kernel: stain/device_pixels.h.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <vector>

#include "stain/appearance.h"

namespace stainfold {

class ViewPasses {
 public:
  // The first of all: of a view's tile.
  void render(const Curve& curve, const at::Tensor& grey);  // grey [B,3,H,W], contiguous

  // In place; of some views, each with its parameter.
  void refocus(const at::Tensor& rows,    // [n] int64
               const at::Tensor& amount,  // [V] as stain/focus.h has it
               double sigma_max);
  void recompress(const at::Tensor& rows,      // [n] int64
                  const at::Tensor& quality);  // [V] as stain/recompression.h has it

  bool empty() const { return passes_.empty(); }

  // Does all that has been asked for, and forgets it. pixels: [V,3,H,W] float32 contiguous, CPU.
  void apply(at::Tensor& pixels);

 private:
  struct Shape {
    std::int64_t height, width;
  };
  // Does its part of a view, if it has one.
  using Pass = std::function<void(std::int64_t view, float* light, Shape shape, std::vector<float>& scratch)>;
  std::vector<Pass> passes_;
};

}  // namespace stainfold
