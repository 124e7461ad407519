#include "stainfold/translator.h"

#include <c10/core/InferenceMode.h>

#include "core/checks.h"
#include "models/generator.h"
#include "models/precision.h"
#include "models/tile_range.h"
#include "models/weights.h"
#include "stainfold/device.h"

namespace stainfold {

struct Translator::State {
  State(const TranslatorOptions& asked, const std::vector<NamedTensor>& weights)
      : device(resolve_device(asked.device)), precision(resolve_precision(asked.precision, device)) {
    settle_cuda(device);
    check(asked.model);
    to_source = load("to_source.", asked.model, weights);
    to_target = load("to_target.", asked.model, weights);
  }

  std::shared_ptr<Generator> load(const std::string& prefix, const TranslatorConfig& model,
                                  const std::vector<NamedTensor>& weights) const {
    auto generator = std::make_shared<Generator>(model.width, model.blocks);
    std::vector<NamedTensor> own;
    append_weights(own, prefix, *generator);
    copy_weights(own, weights);
    generator->to(device, precision);
    for (at::Tensor& weight : generator->parameters()) weight.set_requires_grad(false);
    return generator;
  }

  const at::Device device;
  const at::ScalarType precision;
  std::shared_ptr<Generator> to_source, to_target;
};

Translator::Translator(const TranslatorOptions& options, const std::vector<NamedTensor>& weights)
    : state_(std::make_unique<State>(options, weights)) {}
Translator::~Translator() = default;

at::Tensor Translator::translate(const at::Tensor& tiles, Appearance to) const {
  check_tiles(tiles);
  for (const std::int64_t side : {tiles.size(1), tiles.size(2)}) {
    if (side >= 8 && side % 4 == 0) continue;
    throw Error(ErrorCode::shape,
                "sides of tiles must be multiples of 4, 8 at least, got " + to_string(tiles.sizes()));
  }
  const c10::InferenceMode inference;
  const at::Tensor moved =
      state_->device.is_cuda() ? tiles.pin_memory().to(state_->device, /*non_blocking=*/true) : tiles;
  Generator& generator = to == Appearance::source ? *state_->to_source : *state_->to_target;
  return tiles_of(generator.forward(image_of(moved).to(state_->precision))).to(at::kCPU);
}

std::string Translator::device() const { return state_->device.str(); }
std::string Translator::precision() const { return precision_name(state_->precision); }

}  // namespace stainfold
