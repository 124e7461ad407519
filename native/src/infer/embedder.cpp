#include "stainfold/embedder.h"

#include <c10/core/InferenceMode.h>

#include "core/checks.h"
#include "models/decoder.h"
#include "models/encoder.h"
#include "models/precision.h"
#include "models/seed.h"
#include "models/weights.h"
#include "stainfold/device.h"

namespace stainfold {
namespace {

std::vector<NamedTensor> weights_of(const std::string& prefix, const torch::nn::Module& module) {
  std::vector<NamedTensor> list;
  append_weights(list, prefix, module);
  return list;
}

// Folded before the cast: the product of two rounded numbers is worse than the rounded product.
void prepare(torch::nn::Module& module, at::Device device, at::ScalarType precision) {
  module.eval();
  fold_norms(module);
  module.to(device, precision);
  const at::NoGradGuard no_grad;
  for (at::Tensor& weight : module.parameters()) {
    weight.set_requires_grad(false);
    // Activations are channels last; weights of the same layout need no reordering in every call.
    if (weight.dim() == 4) weight.set_data(weight.contiguous(at::MemoryFormat::ChannelsLast));
  }
}

}  // namespace

struct Embedder::State {
  State(const EmbedderOptions& asked, const std::vector<NamedTensor>& weights, std::uint64_t seed)
      : options(asked),
        device(resolve_device(asked.device)),
        precision(resolve_precision(asked.precision, device)) {
    settle_cuda(device);
    encoder = std::make_shared<Encoder>(options.model);
    if (weights.empty()) {
      initialise(*encoder, stream_seed(seed, SeedStream::encoder));
    } else {
      copy_weights(weights_of("encoder.", *encoder), weights);
    }
    prepare(*encoder, device, precision);
    if (!has_prefix(weights, "decoder.")) return;
    decoder = std::make_shared<Decoder>(options.model);
    copy_weights(weights_of("decoder.", *decoder), weights);
    prepare(*decoder, device, precision);
  }

  at::Tensor encode(const at::Tensor& tiles) const {  // [N,H,W,3] uint8 CPU -> [N,d], on the device
    check_tiles(tiles);
    check_shape(tiles, "tiles", {-1, options.model.tile_size, options.model.tile_size, 3});
    const at::Tensor bytes = device.is_cuda() ? tiles.pin_memory().to(device, /*non_blocking=*/true) : tiles;
    // Rows of pixels are channels last already: the permutation moves nothing.
    return encoder->forward(bytes.permute({0, 3, 1, 2}).to(at::kFloat).div_(255.0).to(precision));
  }

  const EmbedderOptions options;
  const at::Device device;
  const at::ScalarType precision;
  std::shared_ptr<Encoder> encoder;
  std::shared_ptr<Decoder> decoder;  // null without weights for it
};

Embedder::Embedder(const EmbedderOptions& options, const std::vector<NamedTensor>& weights,
                   std::uint64_t seed)
    : state_(std::make_unique<State>(options, weights, seed)) {}
Embedder::~Embedder() = default;

at::Tensor Embedder::embed(const at::Tensor& tiles) const {
  const c10::InferenceMode inference;
  return state_->encode(tiles).to(at::kFloat).to(at::kCPU).contiguous();
}

at::Tensor Embedder::reconstruct(const at::Tensor& tiles) const {
  if (!state_->decoder) throw Error(ErrorCode::state, "this model holds no decoder");
  const c10::InferenceMode inference;
  const at::Tensor image = state_->decoder->forward(state_->encode(tiles));
  return image.mul(255.0).round_().to(at::kByte).permute({0, 2, 3, 1}).contiguous().to(at::kCPU);
}

bool Embedder::has_decoder() const { return state_->decoder != nullptr; }
std::string Embedder::device() const { return state_->device.str(); }
std::string Embedder::precision() const { return precision_name(state_->precision); }

}  // namespace stainfold
