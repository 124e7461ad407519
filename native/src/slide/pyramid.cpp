#include <ATen/ATen.h>

#include "core/checks.h"
#include "stainfold/slide.h"

namespace stainfold {

at::Tensor halve_region(const at::Tensor& pixels) {
  check_shape(pixels, "pixels", {-1, -1, 3});
  check_dtype(pixels, "pixels", {at::kByte});
  check_option(pixels.size(0) % 2 == 0 && pixels.size(1) % 2 == 0, "sides of a region to halve must be even");
  const std::int64_t height = pixels.size(0) / 2, width = pixels.size(1) / 2;
  const at::Tensor sum = pixels.view({height, 2, width, 2, 3}).sum({1, 3}, /*keepdim=*/false, at::kShort);
  return sum.add_(2).div_(4, "floor").to(at::kByte);  // halves go up
}

}  // namespace stainfold
