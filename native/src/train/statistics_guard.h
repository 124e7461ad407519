// Running statistics move in the forward pass. When the step then fails, they must not have.
#pragma once

#include <ATen/core/grad_mode.h>
#include <ATen/ops/_foreach_copy.h>

#include <vector>

namespace stainfold {

// Puts the tensors back to what they were, unless keep() was called.
class StatisticsGuard {
 public:
  explicit StatisticsGuard(std::vector<at::Tensor> live) : live_(std::move(live)) {
    for (const at::Tensor& tensor : live_) saved_.push_back(at::empty_like(tensor));
    at::_foreach_copy_(saved_, live_);
  }
  ~StatisticsGuard() {
    if (kept_) return;
    const at::NoGradGuard no_grad;
    try {
      at::_foreach_copy_(live_, saved_);
    } catch (...) {
      // The device itself is lost: the step's own exception, now under way, says so.
    }
  }
  void keep() { kept_ = true; }
  StatisticsGuard(const StatisticsGuard&) = delete;
  StatisticsGuard& operator=(const StatisticsGuard&) = delete;

 private:
  std::vector<at::Tensor> live_, saved_;
  bool kept_ = false;
};

}  // namespace stainfold
