#include "models/discriminator.h"

#include <algorithm>

namespace stainfold {

Discriminator::Discriminator(std::int64_t latent, std::int64_t labs, std::int64_t real_labs) {
  const std::int64_t width = std::max<std::int64_t>(64, latent);
  hidden1_ = register_module("hidden1", std::make_shared<Linear>(latent, width));
  hidden2_ = register_module("hidden2", std::make_shared<Linear>(width, width));
  lab_ = register_module("lab", std::make_shared<Linear>(width, labs));
  if (real_labs > 0) real_ = register_module("real", std::make_shared<Linear>(width, real_labs));
}

Discriminator::Logits Discriminator::forward(const at::Tensor& z) {
  const at::Tensor trunk = hidden2_->forward(hidden1_->forward(z).relu_()).relu_();
  return {lab_->forward(trunk), real_ ? real_->forward(trunk) : at::Tensor()};
}

}  // namespace stainfold
