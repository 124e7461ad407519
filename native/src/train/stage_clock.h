// When the stages of a step end, for whoever asks. Silent, it costs nothing and waits for nothing.
#pragma once

#include <c10/core/Device.h>
#include <c10/core/impl/VirtualGuardImpl.h>

#include <chrono>

namespace stainfold {

class StageClock {
 public:
  // stamps: room for the beginning, which is marked here, and for each mark(); null for silence.
  StageClock(double* stamps, at::Device device) : next_(stamps), device_(device) { mark(); }

  bool silent() const { return next_ == nullptr; }

  // Work that a GPU was given counts once it is done.
  void mark() {
    if (!next_) return;
    if (device_.is_cuda()) c10::impl::VirtualGuardImpl(device_.type()).synchronizeDevice(device_.index());
    using Milliseconds = std::chrono::duration<double, std::milli>;
    *next_++ = Milliseconds(std::chrono::steady_clock::now().time_since_epoch()).count();
  }

 private:
  double* next_;
  const at::Device device_;
};

}  // namespace stainfold
