#include "stainfold/embedder.h"

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>

#include <chrono>
#include <optional>
#include <string>

#include "core/checks.h"
#include "infer/attribution.h"
#include "infer/cpu/engine.h"
#include "infer/graph_engine.h"
#include "models/decoder.h"
#include "models/encoder.h"
#include "models/precision.h"
#include "models/seed.h"
#include "models/weights.h"
#include "stainfold/device.h"
#include "stainfold/outliers.h"

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
    exact = encoder;
    if (precision != at::kFloat) {
      // Gradients want more digits than embeddings do: a copy of the encoder for them.
      exact = std::make_shared<Encoder>(options.model);
      copy_weights(weights_of("encoder.", *exact), weights_of("encoder.", *encoder));
      prepare(*exact, device, at::kFloat);
    }
    prepare(*encoder, device, precision);
    if (device.is_cpu() && precision == at::kFloat)
      engine = std::make_unique<cpu::Engine>(*encoder, options.model);
    if (device.is_cuda()) graphs = std::make_unique<GraphEngine>(encoder, options.model, device, precision);
    if (holds_outliers(weights)) outliers = outliers_from(weights, options.model.latent);
    if (!has_prefix(weights, "decoder.")) return;
    decoder = std::make_shared<Decoder>(options.model);
    copy_weights(weights_of("decoder.", *decoder), weights);
    prepare(*decoder, device, precision);
  }

  const at::Tensor& checked(const at::Tensor& tiles) const {
    check_tiles(tiles);
    check_shape(tiles, "tiles", {-1, options.model.tile_size, options.model.tile_size, 3});
    return tiles;
  }

  // [N,H,W,3] uint8 CPU -> the same on the device
  at::Tensor bytes_of(const at::Tensor& tiles) const {
    return device.is_cuda() ? checked(tiles).pin_memory().to(device, /*non_blocking=*/true) : checked(tiles);
  }

  // Rows of pixels are channels last already: the permutation moves nothing.
  at::Tensor pixels_of(const at::Tensor& tiles) const {  // -> [N,3,H,W] in [0,1], on the device
    return bytes_of(tiles).permute({0, 3, 1, 2}).to(at::kFloat).div_(255.0);
  }

  at::Tensor encode(const at::Tensor& tiles) const {  // -> [N,d], on the device
    if (engine) return engine->embed(checked(tiles));
    return encoder->forward(pixels_of(tiles).to(precision));
  }

  at::Tensor features_of(const at::Tensor& pixels) const {  // [N,3,H,W] in [0,1] -> [N,F]
    return features_of(pixels, encoder->forward(pixels.to(precision)));
  }
  at::Tensor features_of(const at::Tensor& pixels, const at::Tensor& z) const {
    return stainfold::outlier_features(z, pixels, decoder->forward(z));
  }

  void require_decoder() const {
    if (!decoder) throw Error(ErrorCode::state, "this model holds no decoder");
  }

  const EmbedderOptions options;
  const at::Device device;
  const at::ScalarType precision;
  std::shared_ptr<Encoder> encoder;
  std::shared_ptr<Encoder> exact;       // float32: the same as encoder, or its copy
  std::shared_ptr<Decoder> decoder;     // null without weights for it
  std::unique_ptr<GraphEngine> graphs;  // on a CUDA device: what embeds instead of a call of encoder
  std::unique_ptr<cpu::Engine> engine;  // on the CPU in float32: the same
  std::optional<OutlierStatistics> outliers;
};

Embedder::Embedder(const EmbedderOptions& options, const std::vector<NamedTensor>& weights,
                   std::uint64_t seed)
    : state_(std::make_unique<State>(options, weights, seed)) {}
Embedder::~Embedder() = default;

at::Tensor Embedder::embed(const at::Tensor& tiles) const {
  const c10::InferenceMode inference;
  if (state_->graphs) return state_->graphs->embed(state_->checked(tiles));
  return state_->encode(tiles).to(at::kFloat).to(at::kCPU).contiguous();
}

double Embedder::seconds_resident(const at::Tensor& tiles, std::int64_t calls) const {
  check_option(calls >= 1, "calls must be >= 1, got " + std::to_string(calls));
  const c10::InferenceMode inference;
  if (state_->graphs) return state_->graphs->seconds_resident(state_->checked(tiles), calls);
  const auto begun = std::chrono::steady_clock::now();
  for (std::int64_t call = 0; call < calls; ++call) state_->encode(tiles);
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count() /
         static_cast<double>(calls);
}

at::Tensor Embedder::reconstruct(const at::Tensor& tiles) const {
  state_->require_decoder();
  const c10::InferenceMode inference;
  const at::Tensor image = state_->decoder->forward(state_->encode(tiles));
  return image.mul(255.0).round_().to(at::kByte).permute({0, 2, 3, 1}).contiguous().to(at::kCPU);
}

at::Tensor Embedder::outlier_features(const at::Tensor& tiles, const Manifold& manifold, std::int64_t views,
                                      std::uint64_t step) const {
  state_->require_decoder();
  check_option(views >= 0, "views must be >= 0, got " + std::to_string(views));
  const c10::InferenceMode inference;
  std::vector<at::Tensor> rows{state_->features_of(state_->pixels_of(tiles))};
  if (views > 0) {
    const at::Tensor rendered = manifold.render(state_->bytes_of(tiles), views, step).pixels;
    // A view of every tile at a time: memory as for a batch.
    for (const at::Tensor& view : rendered.split(tiles.size(0))) rows.push_back(state_->features_of(view));
  }
  return at::cat(rows).to(at::kCPU).contiguous();
}

at::Tensor Embedder::score(const at::Tensor& tiles, const at::Tensor& z) const {
  state_->require_decoder();
  if (!state_->outliers) throw Error(ErrorCode::state, "this model holds no out-of-distribution statistics");
  const c10::InferenceMode inference;
  const at::Tensor pixels = state_->pixels_of(tiles);
  if (!z.defined())
    return score_outliers(*state_->outliers, state_->features_of(pixels).to(at::kCPU)).contiguous();
  check_dtype(z, "z", {at::kFloat});
  check_shape(z, "z", {tiles.size(0), state_->options.model.latent});
  const at::Tensor known = z.to(state_->device, state_->precision);
  return score_outliers(*state_->outliers, state_->features_of(pixels, known).to(at::kCPU)).contiguous();
}

namespace {

Attribution to_cpu(const Attribution& found) {
  const auto cpu = [](const at::Tensor& x) { return x.to(at::kCPU, at::kFloat).contiguous(); };
  return {cpu(found.map), cpu(found.value), cpu(found.baseline_value)};
}

}  // namespace

Attribution Embedder::integrated_gradients(const at::Tensor& tiles, const AttributionOptions& options) const {
  stainfold::check(options, state_->options.model.latent);
  return to_cpu(stainfold::integrated_gradients(*state_->exact, state_->pixels_of(tiles), options));
}

Attribution Embedder::gradient_cam(const at::Tensor& tiles, const AttributionOptions& options) const {
  stainfold::check(options, state_->options.model.latent);
  return to_cpu(stainfold::gradient_cam(*state_->exact, state_->pixels_of(tiles), options));
}

Sensitivity Embedder::sensitivity(const at::Tensor& tiles) const {
  const Sensitivity found = stainfold::sensitivity(*state_->exact, state_->pixels_of(tiles));
  const auto cpu = [](const at::Tensor& x) { return x.to(at::kCPU, at::kFloat).contiguous(); };
  return {cpu(found.length), cpu(found.norm), cpu(found.maps)};
}

bool Embedder::has_outliers() const { return state_->outliers.has_value(); }
std::int64_t Embedder::bytes() const {
  const auto of = [](const torch::nn::Module& module) {
    std::int64_t bytes = 0;
    for (const at::Tensor& weight : module.parameters()) bytes += static_cast<std::int64_t>(weight.nbytes());
    return bytes;
  };
  std::int64_t bytes = of(*state_->encoder);
  if (state_->engine) bytes *= 2;  // it has packed them for itself
  if (state_->exact != state_->encoder) bytes += of(*state_->exact);
  if (state_->decoder) bytes += of(*state_->decoder);
  return bytes;
}

bool Embedder::has_decoder() const { return state_->decoder != nullptr; }
std::string Embedder::device() const { return state_->device.str(); }
std::string Embedder::precision() const { return precision_name(state_->precision); }

}  // namespace stainfold
