// A build without CUDA has nothing to record with.
#include "train/step_graph.h"

namespace stainfold {

struct StepGraph::State {};

StepGraph::StepGraph(c10::Device) {}
StepGraph::~StepGraph() = default;

void StepGraph::run(const std::function<void()>& work) { work(); }
void StepGraph::forget() {}
bool StepGraph::recorded() const { return false; }

}  // namespace stainfold
