// y = x W^T + b.
#pragma once

#include <torch/nn/module.h>

#include <cstdint>

namespace stainfold {

class Linear : public torch::nn::Module {
 public:
  Linear(std::int64_t in, std::int64_t out);
  at::Tensor forward(const at::Tensor& x);  // [N,in] -> [N,out]

 private:
  at::Tensor weight_;  // [out,in]
  at::Tensor bias_;    // [out]
};

}  // namespace stainfold
