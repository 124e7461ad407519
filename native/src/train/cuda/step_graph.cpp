#include "train/step_graph.h"

#include <ATen/cuda/CUDAGraph.h>
#include <c10/cuda/CUDACachingAllocator.h>
#include <c10/cuda/CUDAStream.h>
#include <cuda_runtime_api.h>

#include <exception>

namespace stainfold {
namespace {

constexpr int kWarmUpSteps = 3;

}  // namespace

struct StepGraph::State {
  std::unique_ptr<at::cuda::CUDAGraph> graph;
  int calls = 0;
  bool refused = false;

  // Recording does no work. Other threads may go on using the device: only this one is held to the rules of a
  // capture. Autograd's threads launch on the stream that is being recorded, and so are recorded as well.
  void record(const std::function<void()>& work) {
    c10::cuda::getCurrentCUDAStream().synchronize();
    // A recording has memory of its own, as much as the step's: what the steps before it left must not stand
    // beside.
    c10::cuda::CUDACachingAllocator::emptyCache();
    auto made = std::make_unique<at::cuda::CUDAGraph>();
    made->capture_begin(/*pool=*/{0, 0}, cudaStreamCaptureModeThreadLocal);
    try {
      work();
    } catch (...) {
      try {
        made->capture_end();
      } catch (...) {  // the first error tells more
      }
      throw;
    }
    made->capture_end();
    graph = std::move(made);
  }
};

StepGraph::StepGraph(c10::Device device) : state_(device.is_cuda() ? std::make_unique<State>() : nullptr) {}
StepGraph::~StepGraph() = default;

void StepGraph::run(const std::function<void()>& work) {
  if (!state_ || state_->refused) return work();
  if (!state_->graph) {
    if (state_->calls++ < kWarmUpSteps) return work();
    try {
      state_->record(work);
    } catch (const std::exception& error) {
      // Right and slower beats not at all, and is said. A lack of memory for two is no lack of memory for
      // one.
      cudaGetLastError();
      c10::cuda::CUDACachingAllocator::emptyCache();
      state_->refused = true;
      TORCH_WARN(
          "stainfold: the training step cannot be recorded as a CUDA graph, and goes without, more slowly: ",
          error.what());
      return work();
    }
  }
  state_->graph->replay();
}

void StepGraph::forget() {
  if (!state_) return;
  c10::cuda::getCurrentCUDAStream().synchronize();  // a repetition may be under way
  state_->graph.reset();
  state_->calls = 0;
}

bool StepGraph::recorded() const { return state_ && state_->graph; }

}  // namespace stainfold
