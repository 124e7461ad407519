// A convolution and its batch norm as one module, so that the norm can be folded into the convolution for
// inference.
#pragma once

#include <torch/nn/module.h>

#include <cstdint>
#include <optional>

namespace stainfold {

enum class Activation { none, relu };

class ConvNorm : public torch::nn::Module {
 public:
  // Odd kernels, zero padding of kernel / 2: stride 1 keeps the extent, stride 2 halves an even one.
  ConvNorm(std::int64_t in, std::int64_t out, std::int64_t kernel, std::int64_t stride);

  // activation(norm(conv(x)) + residual): [N,in,H,W] -> [N,out,H/stride,W/stride]
  at::Tensor forward(const at::Tensor& x, Activation activation,
                     const std::optional<at::Tensor>& residual = std::nullopt);

  // Multiplies the running statistics into the weights; after it, forward is convolution and bias alone, and
  // training is over: weight, mean and variance no longer mean what state() names them.
  void fold();

 private:
  // By the batch's own statistics, which the running ones follow.
  at::Tensor normalised(const at::Tensor& x, bool relu, const std::optional<at::Tensor>& residual);

  at::Tensor weight_;           // [out,in,kernel,kernel]
  at::Tensor gamma_, beta_;     // [out]
  at::Tensor mean_, variance_;  // [out], running
  at::Tensor folded_bias_;      // [out], undefined before fold()
  std::int64_t kernel_, stride_;
};

// Folds every ConvNorm below a module.
void fold_norms(torch::nn::Module& module);

}  // namespace stainfold
