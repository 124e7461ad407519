// The steps that were asked for, in order, so that a device that runs ahead is given the next one while it
// computes.
#pragma once

#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <utility>

#include "stainfold/trainer.h"

namespace stainfold::addon {

class PendingSteps {
 public:
  // on_cpu_too: as if the CPU could run ahead, for tests.
  explicit PendingSteps(bool on_cpu_too = false) : on_cpu_too_(on_cpu_too) {}

  // On the event loop's thread, as the calls come.
  std::uint64_t add(StepBatch batch) {
    const std::lock_guard lock(queue_);
    entries_.push_back({++last_, std::move(batch)});
    return last_;
  }
  // No step after this is begun before the calls until here are done: they read or write the state.
  std::uint64_t bar() {
    const std::lock_guard lock(queue_);
    entries_.push_back({++last_, std::nullopt});
    return last_;
  }
  // Nothing of the batches is read any more; waits for who is reading.
  void clear() {
    const std::scoped_lock lock(reading_, queue_);
    entries_.clear();
  }

  // On the trainer's thread: the step `ticket`, which may have been begun by the one before it.
  StepReport run(Trainer& trainer, std::uint64_t ticket, const StepBatch& batch) {
    reached(ticket);
    if (trainer.under_way() == 0) trainer.begin(widened(batch));
    if (on_cpu_too_ || trainer.runs_ahead()) begin_next(trainer);
    return trainer.collect();
  }

  // The calls until this one have had their turn.
  void reached(std::uint64_t ticket) {
    const std::lock_guard lock(queue_);
    while (!entries_.empty() && entries_.front().ticket <= ticket) entries_.pop_front();
  }

  // JavaScript's labels are int32.
  static StepBatch widened(StepBatch batch) {
    for (std::optional<at::Tensor>* label : {&batch.real_lab, &batch.group, &batch.stain}) {
      if (*label) *label = (*label)->to(at::kLong);
    }
    return batch;
  }

 private:
  void begin_next(Trainer& trainer) {
    const std::lock_guard lock(reading_);
    std::optional<StepBatch> next;
    {
      const std::lock_guard order(queue_);
      if (!entries_.empty()) next = entries_.front().batch;
    }
    if (!next) return;
    try {
      trainer.begin(widened(*next));
    } catch (...) {  // its own call begins it again, and is told
    }
  }

  struct Entry {
    std::uint64_t ticket;
    std::optional<StepBatch> batch;  // none: a bar
  };
  const bool on_cpu_too_;
  std::mutex reading_, queue_;
  std::deque<Entry> entries_;
  std::uint64_t last_ = 0;
};

}  // namespace stainfold::addon
