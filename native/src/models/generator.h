// The generator of a translator: it repaints a tile in the appearance of another site (Johnson et al. 2016,
// as Zhu et al. 2017 use it).
#pragma once

#include <torch/nn/module.h>

#include <cstdint>
#include <vector>

namespace stainfold {

// Weights are uninitialised until initialise() or a load fills them. Convolutions before a norm have no bias:
// the norm would take it out again. With width w and b blocks there are
// 294 w + 3 + 180 w^2 + 288 b w^2 parameters.
class Generator : public torch::nn::Module {
 public:
  Generator(std::int64_t width, std::int64_t blocks);

  // [N,3,H,W] in [-1,1] -> the same, float32. H and W are multiples of 4, 8 at least, and need not be those
  // of training: everything is a convolution.
  at::Tensor forward(const at::Tensor& x);

 private:
  at::Tensor stem_;                  // [w,3,7,7]
  at::Tensor down1_, down2_;         // [2w,w,3,3], [4w,2w,3,3], stride 2
  std::vector<at::Tensor> blocks_;   // two of [4w,4w,3,3] a block
  at::Tensor up1_, up2_;             // [4w,2w,3,3], [2w,w,3,3], transposed: input channels first
  at::Tensor pixels_, pixels_bias_;  // [3,w,7,7], [3]
};

}  // namespace stainfold
