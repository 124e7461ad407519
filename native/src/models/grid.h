// Resampling between the layout grid and the feature grid of a tile size. As products with small matrices:
// LibTorch's own adaptive pooling and bilinear interpolation are not deterministic backward on CUDA.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace stainfold {

// Side of the coarse layout that the latent holds, whatever the tile size.
constexpr std::int64_t kLayout = 4;

class GridResample {
 public:
  static GridResample average_pool(std::int64_t from, std::int64_t to);  // bins of adaptive average pooling
  static GridResample bilinear(std::int64_t from, std::int64_t to);      // half-pixel centres, edges clamped

  at::Tensor operator()(const at::Tensor& x);  // [N,C,from,from] -> [N,C,to,to]

 private:
  explicit GridResample(at::Tensor matrix) : matrix_(std::move(matrix)) {}
  at::Tensor matrix_;  // [to,from], follows the device and type of what it is applied to
};

}  // namespace stainfold
