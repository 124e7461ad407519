// A CUDA event that is destroyed with its owner.
#pragma once

#include <cuda_runtime_api.h>

#include "core/cuda/check.h"

namespace stainfold::cuda {

// Waiting sleeps instead of spinning: the cores are busy decoding.
class Event {
 public:
  Event() {
    check(cudaEventCreateWithFlags(&event_, cudaEventDisableTiming | cudaEventBlockingSync),
          "an event's creation");
  }
  ~Event() { cudaEventDestroy(event_); }
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;

  void record(cudaStream_t stream) { check(cudaEventRecord(event_, stream), "an event's record"); }
  void wait(cudaStream_t stream) { check(cudaStreamWaitEvent(stream, event_, 0), "a stream's wait"); }
  void synchronise() { check(cudaEventSynchronize(event_), "the embedding of a batch"); }

 private:
  cudaEvent_t event_ = nullptr;
};

}  // namespace stainfold::cuda
