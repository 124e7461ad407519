// The discriminator of a translator: it says of each patch of a tile whether it is real (PatchGAN, Isola et
// al. 2017).
#pragma once

#include <torch/nn/module.h>

#include <cstdint>
#include <vector>

namespace stainfold {

// Weights are uninitialised until initialise() or a load fills them. 4x4 convolutions: `layers` of stride 2,
// whose widths double up to 8 times the first, then two of stride 1. Three layers see patches of 70 pixels.
class PatchJudge : public torch::nn::Module {
 public:
  PatchJudge(std::int64_t width, std::int64_t layers);

  // [N,3,H,W] in [-1,1] -> [N,1,h,w] float32, towards 1 for real; h = floor(H / 2^layers) - 2.
  at::Tensor forward(const at::Tensor& x);

 private:
  at::Tensor first_bias_, last_bias_;  // [width], [1]; between them there are norms
  std::vector<at::Tensor> kernels_;    // [out,in,4,4], layers + 2 of them
};

}  // namespace stainfold
