// A step's work on CUDA, recorded once and then repeated: hundreds of launches become one.
#pragma once

#include <c10/core/Device.h>

#include <functional>
#include <memory>

namespace stainfold {

class StepGraph {
 public:
  explicit StepGraph(c10::Device device);
  ~StepGraph();

  // Does `work` on the current stream: calls it the first few times, because libraries choose algorithms and
  // make their workspaces on first use; then records it and from then on repeats the recording. Work reads
  // and writes memory that stays where it is, waits for nothing and is the same every time. Where it cannot
  // be recorded it is called, with a warning the first time. On the CPU it is called.
  void run(const std::function<void()>& work);

  void forget();  // what comes is other work

  bool recorded() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace stainfold
