#include <ATen/ATen.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/nn/module.h>

#include "models/decoder.h"
#include "models/discriminator.h"
#include "models/encoder.h"
#include "models/weights.h"
#include "testing.h"

using namespace stainfold;
using stainfold::testing::relative_error;

namespace {

// An encoder whose running statistics have seen data, so that folding and evaluation have something to get
// wrong.
std::shared_ptr<Encoder> seasoned_encoder(const ModelConfig& config) {
  auto encoder = std::make_shared<Encoder>(config);
  initialise(*encoder, 3);
  const at::NoGradGuard no_grad;
  for (at::Tensor& weight : encoder->parameters()) {
    if (weight.dim() == 1) weight.add_(at::randn_like(weight), 0.2);
  }
  for (int pass = 0; pass < 3; ++pass) encoder->forward(at::rand({4, 3, config.tile_size, config.tile_size}));
  encoder->eval();
  return encoder;
}

}  // namespace

TEST_CASE("the encoder takes planes, pixels and what learns, and sees the same") {
  const auto encoder = seasoned_encoder({"tiny", 16, 64});
  const at::Tensor planes = (at::arange(2 * 3 * 64 * 64, at::kFloat) * 0.01).sin().abs().view({2, 3, 64, 64});
  const at::Tensor pixels = planes.contiguous(at::MemoryFormat::ChannelsLast);
  const at::Tensor learns = planes.clone().requires_grad_(true);
  const at::Tensor expected = encoder->features(pixels, 0);
  CHECK(at::equal(encoder->features(planes, 0), expected));
  const at::Tensor felt = encoder->features(learns, 0);
  CHECK(at::equal(felt, expected));
  felt.sum().backward();
  CHECK(learns.grad().abs().max().item<double>() > 0);
  CHECK_FALSE(at::equal(encoder->features(planes.flip(2), 0), expected));
}

TEST_CASE("encoder and decoder fit every tile size") {
  for (const std::int64_t tile : {32, 96, 128, 224}) {
    CAPTURE(tile);
    const ModelConfig config{"tiny", 24, tile};
    Encoder encoder(config);
    Decoder decoder(config);
    initialise(encoder, 1);
    initialise(decoder, 2);
    const at::Tensor z = encoder.forward(at::rand({3, 3, tile, tile}));
    CHECK(z.sizes() == at::IntArrayRef({3, 24}));
    const at::Tensor image = decoder.forward(z);
    CHECK(image.sizes() == at::IntArrayRef({3, 3, tile, tile}));
    CHECK(image.min().item<float>() >= 0.0f);
    CHECK(image.max().item<float>() <= 1.0f);
  }
}

TEST_CASE("a tile's embedding does not depend on its batch mates") {
  const at::NoGradGuard no_grad;
  const auto encoder = seasoned_encoder({"tiny", 64, 96});
  const at::Tensor tiles = at::rand({7, 3, 96, 96});
  const at::Tensor together = encoder->forward(tiles);
  for (std::int64_t i = 0; i < tiles.size(0); ++i) {
    // Kernels may sum in another order for another batch size: float32 rounding, no more.
    CHECK(relative_error(encoder->forward(tiles.narrow(0, i, 1)), together.narrow(0, i, 1)) < 1e-5);
  }
}

TEST_CASE("the latent knows where things are") {
  const at::NoGradGuard no_grad;
  const auto encoder = seasoned_encoder({"tiny", 64, 128});
  const at::Tensor tile = at::rand({1, 3, 128, 128});
  CHECK(relative_error(encoder->forward(tile.flip({3})), encoder->forward(tile)) > 0.05);
}

TEST_CASE("folding norms changes no embedding") {
  const at::NoGradGuard no_grad;
  const auto encoder = seasoned_encoder({"tiny", 64, 96});
  const at::Tensor tiles = at::rand({4, 3, 96, 96});
  const at::Tensor before = encoder->forward(tiles);
  fold_norms(*encoder);
  const at::Tensor folded = encoder->forward(tiles);
  CHECK(relative_error(folded, before) < 1e-5);  // one more rounding of each weight
  fold_norms(*encoder);                          // folding twice is folding once
  CHECK(at::equal(encoder->forward(tiles), folded));
}

TEST_CASE("the discriminator has a head for real labels only where there are some") {
  Discriminator with(16, 5, 3), without(16, 5, 0);
  initialise(with, 1);
  initialise(without, 1);
  const auto both = with.forward(at::randn({4, 16}));
  CHECK(both.lab.sizes() == at::IntArrayRef({4, 5}));
  CHECK(both.real.sizes() == at::IntArrayRef({4, 3}));
  CHECK_FALSE(without.forward(at::randn({4, 16})).real.defined());
}

TEST_CASE("initial weights are a function of the seed, and leave the process's generator alone") {
  const ModelConfig config{"tiny", 32, 64};
  const auto weights = [&](std::uint64_t seed) {
    Encoder encoder(config);
    initialise(encoder, seed);
    std::vector<NamedTensor> list;
    append_weights(list, "encoder.", encoder);
    return list;
  };
  at::manual_seed(7);
  const at::Tensor expected = at::rand({4});
  at::manual_seed(7);
  const auto a = weights(1), b = weights(1), c = weights(2);
  CHECK(at::equal(at::rand({4}), expected));
  REQUIRE(a.size() == b.size());
  bool same = true, differs = false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    same = same && at::equal(a[i].value, b[i].value);
    differs = differs || !at::equal(a[i].value, c[i].value);
  }
  CHECK(same);
  CHECK(differs);
}

TEST_CASE("activations neither vanish nor explode at initialisation") {
  for (const Architecture& size : architectures()) {
    Encoder encoder({size.name, size.latent, 64});
    initialise(encoder, 1);
    const at::NoGradGuard no_grad;
    const double deviation = encoder.forward(at::rand({8, 3, 64, 64})).std().item<double>();
    CHECK(deviation > 0.1);
    CHECK(deviation < 10.0);
  }
}
