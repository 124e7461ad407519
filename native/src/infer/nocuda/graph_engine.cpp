// In a build without CUDA no embedder gets as far as to make one: its device is refused first.
#include "infer/graph_engine.h"

#include "stainfold/error.h"

namespace stainfold {

struct GraphEngine::State {};

GraphEngine::GraphEngine(std::shared_ptr<Encoder>, const ModelConfig&, at::Device device, at::ScalarType) {
  throw Error(ErrorCode::internal, "this build holds no CUDA engine for " + device.str());
}
GraphEngine::~GraphEngine() = default;

at::Tensor GraphEngine::embed(const at::Tensor&) { return {}; }
double GraphEngine::seconds_resident(const at::Tensor&, std::int64_t) { return 0; }
std::int64_t GraphEngine::largest_batch() const { return 0; }

}  // namespace stainfold
