// The terms against their parts, and what reaches the encoder.
#include "train/objective.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/nn/module.h>

#include "models/weights.h"
#include "stainfold/losses.h"
#include "testing.h"
#include "train/fixtures.h"

using namespace stainfold;
using namespace stainfold::testing;

namespace {

constexpr std::int64_t kTiles = 6;

struct Scene {
  TrainOptions options = small_options();
  Networks networks;
  Views views;
  at::Tensor decoded_view = at::tensor({0, 1, 1, 0, 1, 0}, at::kLong);

  Scene() {
    const auto& model = options.model;
    networks = {std::make_shared<Encoder>(model), std::make_shared<Decoder>(model),
                std::make_shared<Discriminator>(model.latent, options.manifold.labs, 0)};
    initialise(*networks.encoder, 1);
    initialise(*networks.decoder, 2);
    initialise(*networks.discriminator, 3);
    at::manual_seed(5);
    views = {at::rand({2 * kTiles, 3, 32, 32}), at::rand({kTiles, 3, 32, 32}),
             at::randint(options.manifold.labs, {2 * kTiles}, at::kLong)};
  }

  Terms evaluate_with(const LossWeights& weights, double ramp) {
    options.weights = weights;
    return evaluate(options, networks, views, {}, decoded_view, at::scalar_tensor(ramp, at::kDouble),
                    at::kFloat);
  }

  at::Tensor encoder_gradient(const at::Tensor& objective) {
    std::vector<at::Tensor> flat;
    for (const at::Tensor& gradient : torch::autograd::grad({objective}, networks.encoder->parameters(), {},
                                                            true, false, /*allow_unused=*/true)) {
      if (gradient.defined()) flat.push_back(gradient.flatten());
    }
    return at::cat(flat);
  }
};

}  // namespace

TEST_CASE("the objective is the weighted sum of its terms") {
  Scene scene;
  const Terms terms = scene.evaluate_with({0.7, 0.3, 2.0, 0.1}, 0.5);
  const double sum = 0.7 * terms.compaction.item<double>() + 0.3 * terms.scatter.item<double>() +
                     2.0 * terms.reconstruction.item<double>() + terms.adversarial.item<double>();
  CHECK(terms.objective.item<double>() == doctest::Approx(sum).epsilon(1e-5));  // float32 sums
  CHECK(terms.compaction.item<double>() ==
        doctest::Approx(compaction_loss(terms.z, kTiles, scene.options.temperature).item<double>()));
  CHECK(terms.scatter.item<double>() == doctest::Approx(scatter_ratio(terms.z, kTiles).item<double>()));
  CHECK_FALSE(terms.compaction.requires_grad());
}

TEST_CASE("each tile is decoded from the view that was drawn for it") {
  Scene scene;
  const Terms terms = scene.evaluate_with({1, 1, 1, 1}, 0.5);
  std::vector<at::Tensor> rows;
  for (std::int64_t b = 0; b < kTiles; ++b)
    rows.push_back(terms.z[scene.decoded_view[b].item<std::int64_t>() * kTiles + b]);
  const at::Tensor decoded = scene.networks.decoder->forward(at::stack(rows));
  CHECK(terms.reconstruction.item<double>() ==
        doctest::Approx(reconstruction_loss(decoded, scene.views.source).item<double>()).epsilon(1e-5));
}

TEST_CASE("the encoder receives the discriminator's gradient reversed and scaled") {
  Scene scene;
  const double weight = 0.3, ramp = 0.6;
  const at::Tensor adversarial_only =
      scene.encoder_gradient(scene.evaluate_with({0, 0, 0, weight}, ramp).objective);
  const at::Tensor z = scene.networks.encoder->forward(scene.views.pixels);
  const at::Tensor forward =
      at::cross_entropy_loss(scene.networks.discriminator->forward(z).lab, scene.views.lab);
  CHECK(relative_error(adversarial_only, -weight * ramp * scene.encoder_gradient(forward)) < 1e-4);
}

TEST_CASE("a term of weight 0 is measured but does not reach the encoder") {
  Scene scene;
  const Terms terms = scene.evaluate_with({1, 0, 0, 0}, 1.0);
  CHECK(terms.scatter.item<double>() > 0.0);
  CHECK(terms.adversarial.item<double>() > 0.0);
  CHECK(terms.reconstruction.item<double>() == 0.0);
  const at::Tensor z = scene.networks.encoder->forward(scene.views.pixels);
  const at::Tensor alone = compaction_loss(z, kTiles, scene.options.temperature);
  CHECK(relative_error(scene.encoder_gradient(terms.objective), scene.encoder_gradient(alone)) < 1e-4);
}

TEST_CASE("cross-correlation compares neighbouring views") {
  Scene scene;
  scene.options.compaction = CompactionKind::cross_correlation;
  scene.options.views = 3;
  scene.views.pixels = at::rand({3 * kTiles, 3, 32, 32});
  scene.views.lab = at::zeros({3 * kTiles}, at::kLong);
  const Terms terms = scene.evaluate_with({1, 0, 0, 0}, 0.0);
  const auto view = [&](std::int64_t k) { return terms.z.narrow(0, k * kTiles, kTiles); };
  const double lambda = scene.options.lambda;
  const double expected = 0.5 * (cross_correlation_loss(view(0), view(1), lambda).item<double>() +
                                 cross_correlation_loss(view(1), view(2), lambda).item<double>());
  CHECK(terms.compaction.item<double>() == doctest::Approx(expected).epsilon(1e-5));
}
