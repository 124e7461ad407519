// The adversary: it tries to read from the latent which lab a view comes from.
#pragma once

#include <memory>

#include "models/linear.h"

namespace stainfold {

// Weights are uninitialised until initialise() or a load fills them.
class Discriminator : public torch::nn::Module {
 public:
  struct Logits {
    at::Tensor lab;   // [M,labs]
    at::Tensor real;  // [M,real_labs], undefined without real labs
  };

  // real_labs 0: no head for real labels.
  Discriminator(std::int64_t latent, std::int64_t labs, std::int64_t real_labs);
  Logits forward(const at::Tensor& z);  // [M,latent]

 private:
  std::shared_ptr<Linear> hidden1_, hidden2_, lab_, real_;
};

}  // namespace stainfold
