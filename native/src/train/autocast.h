// Automatic mixed precision for a scope.
#pragma once

#include <ATen/autocast_mode.h>

namespace stainfold {

// Within it, convolutions and linear maps of this thread run in `type`; float32 leaves all as it is.
class AutocastScope {
 public:
  AutocastScope(at::DeviceType device, at::ScalarType type)
      : device_(device),
        enabled_(at::autocast::is_autocast_enabled(device)),
        type_(at::autocast::get_autocast_dtype(device)) {
    at::autocast::set_autocast_dtype(device_, type == at::kFloat ? type_ : type);
    at::autocast::set_autocast_enabled(device_, type != at::kFloat);
    at::autocast::increment_nesting();
  }
  // The cache holds the weights' casts: it must not outlive an optimiser step.
  ~AutocastScope() {
    if (at::autocast::decrement_nesting() == 0) at::autocast::clear_cache();
    at::autocast::set_autocast_enabled(device_, enabled_);
    at::autocast::set_autocast_dtype(device_, type_);
  }
  AutocastScope(const AutocastScope&) = delete;
  AutocastScope& operator=(const AutocastScope&) = delete;

 private:
  at::DeviceType device_;
  bool enabled_;
  at::ScalarType type_;
};

}  // namespace stainfold
