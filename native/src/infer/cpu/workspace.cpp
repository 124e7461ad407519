#include "infer/cpu/workspace.h"

#include <algorithm>

namespace stainfold::cpu {
namespace {

std::size_t floats(std::ptrdiff_t count) { return static_cast<std::size_t>(count); }

}  // namespace

Workspace::Workspace(const Network& network) : network_(network) {
  for (std::size_t i = 0; i < network.activations.size(); ++i) {
    const int images = network.grouped(static_cast<int>(i)) ? network.group : 1;
    activations_.emplace_back(floats(images * network.activations[i].image()));
  }
  const Convolution& layout = network.layout;
  layout_ = Memory(floats(network.group * layout.height * layout.width * layout.out));
  features_ = Memory(floats(network.group * network.features));
  embeddings_ = Memory(floats(network.group * network.head.out));
}

void Workspace::prepare_for(int members) {
  int widest = 0;
  for (const Step& step : network_.steps) widest = std::max(widest, step.convolution.in);
  const auto block = [](int channels) {
    const auto of = [channels](int tile) {
      return winograd_points(tile) * winograd_point(winograd_block(tile), channels);
    };
    return floats(std::max(of(4), of(2)));
  };
  while (static_cast<int>(scratch_.size()) < members) {
    const Memory& inputs = transforms_.emplace_back(block(widest));
    float* const in = inputs.data();
    float* const out = transforms_.emplace_back(block(network_.kernels.panel)).data();
    scratch_.push_back({in, out, -1});
  }
}

void Workspace::forget_transforms() {
  for (Scratch& scratch : scratch_) scratch.held = -1;
}

View Workspace::activation(int index, int image) const {
  const Shape& shape = network_.activations[static_cast<std::size_t>(index)];
  const std::ptrdiff_t offset = network_.grouped(index) ? image * shape.image() : 0;
  float* const data = activations_[static_cast<std::size_t>(index)].data();
  return {data + offset + shape.row() + shape.channels, shape.channels, shape.row(), shape.image()};
}

View Workspace::layout() const {
  const Convolution& layout = network_.layout;
  const std::ptrdiff_t row = layout.width * layout.out;
  return {layout_.data(), layout.out, row, layout.height * row};
}

View Workspace::features() const { return {features_.data(), network_.features, 0, 0}; }

View Workspace::embeddings() const { return {embeddings_.data(), network_.head.out, 0, 0}; }

std::size_t Workspace::bytes() const {
  std::size_t sum = layout_.bytes() + features_.bytes() + embeddings_.bytes();
  for (const Memory& memory : activations_) sum += memory.bytes();
  for (const Memory& memory : transforms_) sum += memory.bytes();
  return sum;
}

}  // namespace stainfold::cpu
