#include "core/interrupt.h"

#include <utility>

#include "stainfold/error.h"

namespace stainfold {
namespace {

std::atomic<bool> all_interrupted = false;
thread_local const std::atomic<bool>* interrupt_flag = nullptr;

}  // namespace

Interruptible::Interruptible(const std::atomic<bool>& flag) : before_(std::exchange(interrupt_flag, &flag)) {}
Interruptible::~Interruptible() { interrupt_flag = before_; }

void interrupt_all() noexcept { all_interrupted = true; }

void check_interrupt() {
  if (interrupt_flag == nullptr) return;
  if (*interrupt_flag || all_interrupted) throw Error(ErrorCode::state, "the work was given up");
}

}  // namespace stainfold
