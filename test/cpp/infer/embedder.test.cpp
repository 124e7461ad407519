#include "stainfold/embedder.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/cuda.h>
#include <torch/nn/module.h>

#include "models/decoder.h"
#include "models/encoder.h"
#include "models/seed.h"
#include "models/weights.h"
#include "testing.h"

using namespace stainfold;
using namespace stainfold::testing;

namespace {

constexpr std::int64_t kTile = 64;

struct Model {
  ModelConfig config{"tiny", 48, kTile};
  Encoder encoder{config};
  Decoder decoder{config};

  // Weights and running statistics that have seen data, so that folding has something to get wrong.
  Model() {
    at::manual_seed(11);
    initialise(encoder, 1);
    initialise(decoder, 2);
    const at::NoGradGuard no_grad;
    for (int pass = 0; pass < 3; ++pass) decoder.forward(encoder.forward(at::rand({4, 3, kTile, kTile})));
    encoder.eval();
    decoder.eval();
  }
  std::vector<NamedTensor> weights() const {
    std::vector<NamedTensor> list;
    append_weights(list, "encoder.", encoder);
    append_weights(list, "decoder.", decoder);
    return list;
  }
};

at::Tensor random_tiles(std::int64_t count) { return at::randint(256, {count, kTile, kTile, 3}, at::kByte); }
at::Tensor as_input(const at::Tensor& tiles) { return tiles.permute({0, 3, 1, 2}).to(at::kFloat).div(255.0); }

EmbedderOptions options_of(const ModelConfig& config, const std::string& device,
                           const std::string& precision) {
  EmbedderOptions options;
  options.model = config;
  options.device = device;
  options.precision = precision;
  return options;
}

}  // namespace

TEST_CASE("the embedder computes what the encoder computes") {
  Model model;
  const Embedder embedder(options_of(model.config, "cpu", "auto"), model.weights());
  const at::NoGradGuard no_grad;
  const at::Tensor tiles = random_tiles(5);
  const at::Tensor z = embedder.embed(tiles);
  CHECK(z.sizes() == at::IntArrayRef({5, 48}));
  CHECK(z.is_contiguous());
  CHECK(relative_error(z, model.encoder.forward(as_input(tiles))) < 1e-5);  // folded norms round once more
  CHECK(embedder.device() == "cpu");
  CHECK(embedder.precision() == "fp32");
}

TEST_CASE("an embedding alone equals the embedding in a batch") {
  Model model;
  const Embedder embedder(options_of(model.config, "cpu", "fp32"), model.weights());
  const at::Tensor tiles = random_tiles(33);
  const at::Tensor together = embedder.embed(tiles);
  for (const std::int64_t i : {0, 7, 32}) {
    CHECK(relative_error(embedder.embed(tiles.narrow(0, i, 1)), together.narrow(0, i, 1)) < 1e-5);
  }
  CHECK(at::equal(embedder.embed(tiles), together));
}

TEST_CASE("reconstruction returns bytes, to one grey level") {
  Model model;
  const Embedder embedder(options_of(model.config, "cpu", "fp32"), model.weights());
  const at::Tensor tiles = random_tiles(3);
  const at::Tensor image = embedder.reconstruct(tiles);
  CHECK(image.sizes() == tiles.sizes());
  CHECK((image.scalar_type() == at::kByte));
  CHECK(image.is_contiguous());
  const at::NoGradGuard no_grad;
  const at::Tensor expected = model.decoder.forward(model.encoder.forward(as_input(tiles))) * 255.0;
  CHECK((image.permute({0, 3, 1, 2}).to(at::kFloat) - expected).abs().max().item<float>() <= 1.0f);
}

TEST_CASE("bf16 stays close to fp32, and says what it is") {
  Model model;
  const Embedder exact(options_of(model.config, "cpu", "fp32"), model.weights());
  const Embedder rounded(options_of(model.config, "cpu", "bf16"), model.weights());
  CHECK(rounded.precision() == "bf16");
  const at::Tensor tiles = random_tiles(4);
  const at::Tensor z = rounded.embed(tiles);
  CHECK((z.scalar_type() == at::kFloat));
  CHECK(relative_error(z, exact.embed(tiles)) < 0.05);  // 8 bits a layer
  CHECK(relative_error(z, exact.embed(tiles)) > 0.0);
}

TEST_CASE("without weights it is the untrained encoder of the seed") {
  const EmbedderOptions options = options_of({"tiny", 48, kTile}, "cpu", "fp32");
  const Embedder a(options, {}, 4), b(options, {}, 4), c(options, {}, 5);
  const at::Tensor tiles = random_tiles(2);
  CHECK(at::equal(a.embed(tiles), b.embed(tiles)));
  CHECK(relative_error(a.embed(tiles), c.embed(tiles)) > 0.1);
  CHECK_FALSE(a.has_decoder());
  CHECK(code_of([&] { a.reconstruct(tiles); }) == ErrorCode::state);

  Encoder untrained(options.model);
  initialise(untrained, stream_seed(4, SeedStream::encoder));
  untrained.eval();
  const at::NoGradGuard no_grad;
  CHECK(relative_error(a.embed(tiles), untrained.forward(as_input(tiles))) < 1e-5);
}

TEST_CASE("weights that do not fit the model are refused; names of others are not its affair") {
  Model model;
  const EmbedderOptions options = options_of(model.config, "cpu", "fp32");
  auto weights = model.weights();
  weights.push_back({"optimiser.encoder.head.bias.exp_avg", at::zeros({48})});
  CHECK_NOTHROW(Embedder(options, weights));

  std::vector<NamedTensor> encoder_only;
  append_weights(encoder_only, "encoder.", model.encoder);
  CHECK_FALSE(Embedder(options, encoder_only).has_decoder());

  auto missing = encoder_only;
  missing.erase(missing.begin());
  auto half_a_decoder = model.weights();
  half_a_decoder.pop_back();
  EmbedderOptions wider = options;
  wider.model.latent = 64;
  CHECK(code_of([&] { Embedder(options, missing); }) == ErrorCode::weights);
  CHECK(code_of([&] { Embedder(options, half_a_decoder); }) == ErrorCode::weights);
  CHECK(code_of([&] { Embedder(wider, encoder_only); }) == ErrorCode::weights);
}

TEST_CASE("the given weights are copied, not borrowed") {
  Model model;
  const Embedder embedder(options_of(model.config, "cpu", "fp32"), model.weights());
  const at::Tensor tiles = random_tiles(2);
  const at::Tensor before = embedder.embed(tiles);
  for (const NamedTensor& item : model.weights()) at::Tensor(item.value).zero_();
  CHECK(at::equal(embedder.embed(tiles), before));
}

TEST_CASE("tiles and options that do not fit are refused") {
  const EmbedderOptions options = options_of({"tiny", 48, kTile}, "cpu", "fp32");
  const Embedder embedder(options, {});
  CHECK(code_of([&] { embedder.embed(at::zeros({1, 32, 32, 3}, at::kByte)); }) == ErrorCode::shape);
  CHECK(code_of([&] { embedder.embed(at::zeros({1, kTile, kTile, 3})); }) == ErrorCode::dtype);
  CHECK(code_of([&] { embedder.embed(at::zeros({0, kTile, kTile, 3}, at::kByte)); }) == ErrorCode::shape);
  CHECK(code_of([&] { Embedder(options_of({"tiny", 48, 40}, "cpu", "fp32"), {}); }) == ErrorCode::option);
  CHECK(code_of([&] { Embedder(options_of({"tiny", 48, kTile}, "cpu", "int4"), {}); }) == ErrorCode::option);
  CHECK(code_of([&] {
          Embedder(options_of({"tiny", 48, kTile}, "abacus", "fp32"), {});
        }) == ErrorCode::device);
}

TEST_CASE("an embedding of resident tiles is timed, on whatever device there is") {
  const Embedder embedder(options_of({"tiny", 48, kTile}, "auto", "auto"), {});
  const at::Tensor tiles = random_tiles(2);
  const double seconds = embedder.seconds_resident(tiles, 2);
  CHECK(seconds > 0);
  CHECK(seconds < 60);
  CHECK(code_of([&] { embedder.seconds_resident(tiles, 0); }) == ErrorCode::option);
}

TEST_CASE("on CUDA: embeddings agree with the CPU's") {
  if (!torch::cuda::is_available()) {
    MESSAGE("skipped: no CUDA device can be had");
    return;
  }
  Model model;
  const Embedder cpu(options_of(model.config, "cpu", "fp32"), model.weights());
  const at::Tensor tiles = random_tiles(9);
  const at::Tensor expected = cpu.embed(tiles);
  const Embedder exact(options_of(model.config, "cuda", "fp32"), model.weights());
  CHECK(exact.device() == "cuda:0");
  CHECK(relative_error(exact.embed(tiles), expected) < 1e-4);  // other summation orders over some 1000 terms
  CHECK(relative_error(exact.embed(tiles.narrow(0, 3, 1)), exact.embed(tiles).narrow(0, 3, 1)) < 1e-5);
  for (const char* precision : {"bf16", "fp16"}) {
    const Embedder rounded(options_of(model.config, "cuda", precision), model.weights());
    CHECK(relative_error(rounded.embed(tiles), expected) < 0.05);
  }
  const at::Tensor difference = exact.reconstruct(tiles).to(at::kInt) - cpu.reconstruct(tiles).to(at::kInt);
  CHECK(difference.abs().max().item<int>() <= 1);
}
