// Where the work of a training runs. On a GPU one stream computes while on another the next batch arrives and
// is rendered; on the CPU everything happens when it is asked for.
#pragma once

#include <c10/core/Device.h>
#include <c10/core/Event.h>
#include <c10/core/StreamGuard.h>
#include <c10/core/impl/VirtualGuardImpl.h>

#include <optional>

namespace stainfold {

using Lane = std::optional<c10::Stream>;  // none on the CPU
using OnLane = c10::OptionalStreamGuard;  // what follows in the scope runs there

struct Lanes {
  explicit Lanes(c10::Device device) {
    if (!device.is_cuda()) return;
    const c10::impl::VirtualGuardImpl guard(device.type());
    compute = guard.getStreamFromGlobalPool(device);
    arrival = guard.getStreamFromGlobalPool(device);
  }

  // Both are through with all they were given. Silent about a lost device: whoever used it last has been
  // told.
  void finish() const noexcept {
    for (const Lane& lane : {compute, arrival}) {
      try {
        if (lane) lane->synchronize();
      } catch (...) {
      }
    }
  }

  Lane compute, arrival;
};

// A point in the work of a lane.
class Milestone {
 public:
  void set(const Lane& lane) {
    if (!lane) return;
    event_.emplace(lane->device_type());
    event_->record(*lane);
  }
  void hold(const Lane& lane) const {  // the lane goes no further before it has been reached
    if (event_ && lane) event_->block(*lane);
  }
  void wait() const {
    if (event_) event_->synchronize();
  }

 private:
  mutable std::optional<c10::Event> event_;  // some versions' waits are not const
};

}  // namespace stainfold
