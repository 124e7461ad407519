#include "infer/attribution.h"

#include <ATen/ATen.h>

#include <cmath>

#include "models/weights.h"
#include "stain/appearance.h"
#include "stain/optical_density.h"
#include "stain/virtual_lab.h"
#include "testing.h"

using namespace stainfold;
using namespace stainfold::testing;

namespace {

constexpr std::int64_t kSide = 32, kWidth = 24;

// A frozen encoder in float64, so that finite differences have digits to spare.
struct ExactEncoder {
  Encoder encoder{ModelConfig{"tiny", kWidth, kSide}};
  ExactEncoder() {
    initialise(encoder, 4);
    encoder.eval();
    encoder.to(at::kDouble);
    for (at::Tensor& weight : encoder.parameters()) weight.set_requires_grad(false);
  }
};

// Blobs of haematoxylin on eosin, by Beer-Lambert's law, as whole grey levels.
at::Tensor stained_pixels(std::int64_t count) {
  at::manual_seed(9);
  const at::Tensor h = at::upsample_bilinear2d(at::rand({count, 1, 8, 8}), {kSide, kSide}, false) * 1.5;
  const at::Tensor e = at::upsample_bilinear2d(at::rand({count, 1, 6, 6}), {kSide, kSide}, false) * 0.8 + 0.2;
  const at::Tensor stains = ruifrok_stains(at::kFloat);
  const at::Tensor density =
      h * stains.select(1, 0).view({1, 3, 1, 1}) + e * stains.select(1, 1).view({1, 3, 1, 1});
  return ((240 * (-density).exp() - 1).clamp(0, 255).round() / 255).to(at::kDouble);
}

AttributionOptions options_for(AttributionTarget::Kind kind, std::int64_t steps = 64) {
  at::manual_seed(2);
  AttributionOptions options;
  options.target = {kind, at::randn({kWidth})};
  options.steps = steps;
  return options;
}

const std::vector<AttributionTarget::Kind> kTargets{
    AttributionTarget::Kind::norm, AttributionTarget::Kind::direction, AttributionTarget::Kind::similarity};

}  // namespace

TEST_CASE("integrated gradients are complete, and more so with more steps") {
  ExactEncoder model;
  const at::Tensor pixels = stained_pixels(3);
  for (const auto kind : kTargets) {
    for (const auto baseline : {AttributionOptions::Baseline::glass, AttributionOptions::Baseline::blur}) {
      AttributionOptions options = options_for(kind);
      options.baseline = baseline;
      const Attribution fine = integrated_gradients(model.encoder, pixels, options);
      const at::Tensor gain = fine.value - fine.baseline_value;
      // The midpoint rule over the kinks of an untrained network: 64 steps miss 3 % at most when measured.
      const double missed = (fine.map.sum({1, 2}) - gain).abs().max().item<double>();
      CHECK(missed < 0.05 * gain.abs().max().item<double>() + 1e-9);
      options.steps = 1;
      const Attribution coarse = integrated_gradients(model.encoder, pixels, options);
      CHECK((coarse.map.sum({1, 2}) - gain).abs().max().item<double>() > missed);
    }
  }
}

TEST_CASE("integrated gradients do not depend on batch mates") {
  ExactEncoder model;
  const at::Tensor pixels = stained_pixels(3);
  const AttributionOptions options = options_for(AttributionTarget::Kind::similarity, 8);
  const Attribution together = integrated_gradients(model.encoder, pixels, options);
  const Attribution alone = integrated_gradients(model.encoder, pixels.narrow(0, 1, 1), options);
  CHECK(relative_error(alone.map, together.map.narrow(0, 1, 1)) < 1e-10);
}

TEST_CASE("Grad-CAM is what its formula says, with slopes from differences") {
  ExactEncoder model;
  const at::Tensor pixels = stained_pixels(1);
  const at::NoGradGuard no_grad;
  double brightest = 0;
  for (const auto kind : kTargets) {
    AttributionOptions options = options_for(kind);
    options.stage = 3;
    const Attribution found = gradient_cam(model.encoder, pixels, options);
    const at::Tensor activations = model.encoder.features(pixels, 3).contiguous();  // [1,C,2,2]
    const auto target = [&](const at::Tensor& features) {
      const at::Tensor z = model.encoder.embed_features(features.clone(), 3).squeeze(0);
      const at::Tensor w = options.target.vector.to(at::kDouble);
      if (kind == AttributionTarget::Kind::norm) return z.norm().item<double>();
      const double along = z.dot(w).item<double>();
      return kind == AttributionTarget::Kind::direction ? along
                                                        : along / (z.norm() * w.norm()).item<double>();
    };
    // The mean slope of a channel is the slope of raising the whole channel, over its positions.
    const double step = 1e-5, area = static_cast<double>(activations.size(2) * activations.size(3));
    at::Tensor cam = at::zeros_like(activations.select(1, 0));
    for (std::int64_t c = 0; c < activations.size(1); ++c) {
      at::Tensor up = activations.clone(), down = activations.clone();
      up.select(1, c).add_(step);
      down.select(1, c).sub_(step);
      cam += activations.select(1, c) * ((target(up) - target(down)) / (2 * step * area));
    }
    const at::Tensor expected =
        at::upsample_bilinear2d(cam.relu().unsqueeze(1), {kSide, kSide}, false).squeeze(1);
    CHECK(relative_error(found.map, expected) < 1e-6);
    CHECK(found.map.min().item<double>() >= 0);
    brightest = std::max(brightest, expected.max().item<double>());
  }
  CHECK(brightest > 0);  // else the comparisons are of zeros
}

TEST_CASE("the manifold's tangents are its differences") {
  const at::Tensor pixels = stained_pixels(2).to(at::kFloat);
  const at::Tensor tangents = manifold_tangents(pixels);
  const at::Tensor density = optical_density(pixels * 255.0);
  const Separation separation = separate_stains(density);
  const double step = 0.01;
  for (std::int64_t k = 0; k < 4; ++k) {
    const auto rendered = [&](double amount) {
      at::Tensor theta = at::zeros({2, lab::kColumns});
      if (k < 2) theta.select(1, lab::kLogScale + k).fill_(amount);
      if (k == 2) theta.narrow(1, lab::kLogGain, 3).fill_(amount);
      if (k == 3) theta.select(1, lab::kLogGamma).fill_(amount);
      return render_appearance(density, separation, theta);
    };
    const at::Tensor difference = (rendered(step) - rendered(-step)) / (2 * step);
    // float32 images of step 0.01, and a third derivative of order one.
    CHECK(relative_error(tangents.select(1, k), difference) < 2e-3);
  }
}

TEST_CASE("sensitivity is the length of z's difference along a tangent, and its maps add up to it") {
  ExactEncoder model;
  const at::Tensor pixels = stained_pixels(2);
  const Sensitivity found = sensitivity(model.encoder, pixels);
  const at::Tensor tangents = manifold_tangents(pixels);
  const at::NoGradGuard no_grad;
  const double step = 1e-6;
  for (std::int64_t k = 0; k < 4; ++k) {
    const at::Tensor along = tangents.select(1, k) * step;
    const at::Tensor difference =
        (model.encoder.forward(pixels + along) - model.encoder.forward(pixels - along)) / (2 * step);
    CHECK(relative_error(found.length.select(1, k), difference.norm(2, 1)) <
          1e-4);  // a kink or two within the step
  }
  CHECK(relative_error(found.maps.sum({2, 3}), found.length) < 1e-9);
  CHECK(relative_error(found.norm, model.encoder.forward(pixels).norm(2, 1)) < 1e-12);
}

TEST_CASE("glass has no stain to be sensitive to") {
  const at::Tensor tangents = manifold_tangents(at::full({1, 3, 32, 32}, 250.0 / 255));
  CHECK(tangents.narrow(1, 0, 2).abs().max().item<double>() == 0);
  CHECK(tangents.select(1, 2).min().item<double>() > 0);
}

TEST_CASE("overlays: zero is the middle of the colours, extremes their ends") {
  at::Tensor map = at::zeros({1, 32, 32});
  map.narrow(1, 0, 8).fill_(2);
  map.narrow(1, 8, 8).fill_(-2);
  const at::Tensor tiles = at::zeros({1, 32, 32, 3}, at::kByte);
  const at::Tensor picture = attribution_overlay(tiles, map, true, 1).to(at::kInt);
  const auto at_row = [&](std::int64_t row) { return picture[0][row][5]; };
  CHECK(at_row(2)[0].item<int>() > at_row(2)[2].item<int>() + 80);    // red
  CHECK(at_row(10)[2].item<int>() > at_row(10)[0].item<int>() + 80);  // blue
  CHECK((at_row(30).max() - at_row(30).min()).item<int>() == 0);      // white, dimmed
  CHECK(code_of([&] { attribution_overlay(tiles, map, true, 2); }) == ErrorCode::option);
}

TEST_CASE("options out of range are refused") {
  AttributionOptions options = options_for(AttributionTarget::Kind::direction);
  check(options, kWidth);
  CHECK(code_of([&] { check(options, kWidth + 1); }) == ErrorCode::shape);
  options.stage = 5;
  CHECK(code_of([&] { check(options, kWidth); }) == ErrorCode::option);
  options.stage = 3;
  options.steps = 0;
  CHECK(code_of([&] { check(options, kWidth); }) == ErrorCode::option);
  options.steps = 1;
  options.target.vector = at::Tensor();
  CHECK(code_of([&] { check(options, kWidth); }) == ErrorCode::option);
}
