// Work that nobody waits for any more gives up at its next check: an environment ends, or the whole process.
#pragma once

#include <atomic>

namespace stainfold {

// While it lives, check_interrupt() on this thread looks at the flag.
class Interruptible {
 public:
  explicit Interruptible(const std::atomic<bool>& flag);
  ~Interruptible();
  Interruptible(const Interruptible&) = delete;
  Interruptible& operator=(const Interruptible&) = delete;

 private:
  const std::atomic<bool>* before_;
};

// For every Interruptible of the process, from now on: there is no way back.
void interrupt_all() noexcept;

// Throws ErrorCode::state where the work of this thread is to give up; costs nothing elsewhere. For loops
// that may take seconds, between their rounds.
void check_interrupt();

}  // namespace stainfold
