#include "stain/geometry.h"

#include <ATen/ATen.h>

namespace stainfold {

at::Tensor apply_symmetry(const at::Tensor& planes, const at::Tensor& symmetry) {
  const at::Tensor bits = symmetry.to(planes.device()).view({-1, 1, 1, 1});
  const auto where = [&](std::int64_t bit, const at::Tensor& moved, const at::Tensor& still) {
    return at::where(bits.bitwise_and(bit).ne(0), moved, still);
  };
  at::Tensor result = where(1, planes.flip(2), planes);
  result = where(2, result.flip(3), result);
  if (planes.size(2) == planes.size(3)) result = where(4, result.transpose(2, 3), result);
  return result;
}

}  // namespace stainfold
