#include "stainfold/translator_trainer.h"

#include <ATen/ATen.h>
#include <torch/nn/module.h>

#include <cmath>
#include <limits>

#include "models/generator.h"
#include "models/tile_range.h"
#include "models/weights.h"
#include "testing.h"
#include "train/translator_fixtures.h"

using namespace stainfold;
using namespace stainfold::testing;

namespace {

std::vector<NamedTensor> copy_of(const TranslatorTrainer& trainer) {
  std::vector<NamedTensor> copy = trainer.state();
  for (NamedTensor& item : copy) item.value = item.value.to(at::kCPU).clone();
  return copy;
}

// Each step has its own batches, of different sizes, as a run with unreadable tiles has.
TranslatorReport run(TranslatorTrainer& trainer, std::int64_t steps) {
  TranslatorReport last{};
  for (std::int64_t s = 0; s < steps; ++s) {
    const auto step = static_cast<std::uint64_t>(trainer.steps_done());
    last = trainer.step(source_tiles(4, step), target_tiles(3, step));
  }
  return last;
}

}  // namespace

TEST_CASE("a step of a translator reports what it did") {
  TranslatorTrainer trainer(small_translator());
  const TranslatorReport report = run(trainer, 1);
  CHECK(report.step == 1);
  CHECK(report.tiles == 7);
  CHECK(report.learning_rate == doctest::Approx(2e-4));
  CHECK(report.loss == doctest::Approx(report.adversarial + 10.0 * (report.cycle + 0.5 * report.identity)));
  CHECK(report.identity > 0.0);
  CHECK(report.gradient_norm > 0.0);
  CHECK(report.judge_gradient_norm > 0.0);

  TranslatorTrainOptions options = small_translator();
  options.identity = 0.0;
  TranslatorTrainer without(options);
  CHECK(run(without, 1).identity == 0.0);
}

TEST_CASE("the learning rate stays, then falls linearly to 0") {
  TranslatorTrainOptions options = small_translator();
  options.total_steps = 4;
  options.constant_steps = 2;
  TranslatorTrainer trainer(options);
  for (const double share : {1.0, 1.0, 2.0 / 3.0, 1.0 / 3.0, 0.0}) {
    CHECK(run(trainer, 1).learning_rate == doctest::Approx(2e-4 * share));
  }
}

TEST_CASE("the same seed gives the same translator, byte by byte; another seed another") {
  TranslatorTrainer a(small_translator());
  run(a, 3);
  at::manual_seed(99);
  TranslatorTrainer b(small_translator());
  run(b, 3);
  CHECK(same_bits(copy_of(a), copy_of(b)));
  TranslatorTrainOptions other = small_translator();
  other.seed = 2;
  TranslatorTrainer c(other);
  run(c, 3);
  CHECK_FALSE(same_bits(copy_of(a), copy_of(c)));
}

TEST_CASE("a resumed translator is the one that was never interrupted") {
  // Long enough for the pools to be full and to show their history.
  TranslatorTrainer whole(small_translator());
  run(whole, 4);
  const auto half_way = copy_of(whole);
  run(whole, 3);

  TranslatorTrainer resumed(small_translator());
  run(resumed, 1);  // what it did before must not matter
  resumed.load_state(half_way);
  CHECK(resumed.steps_done() == 4);
  run(resumed, 3);
  CHECK(same_bits(copy_of(resumed), copy_of(whole)));

  // The pools are part of it: without them the run goes another way.
  auto forgetful = half_way;
  for (NamedTensor& item : forgetful) {
    if (item.name == "source_pool.images") item.value = at::zeros_like(item.value);
  }
  TranslatorTrainer other(small_translator());
  other.load_state(forgetful);
  run(other, 3);
  CHECK_FALSE(same_bits(copy_of(other), copy_of(whole)));
}

TEST_CASE("geometry is drawn, and can be switched off") {
  TranslatorTrainOptions options = small_translator();
  TranslatorTrainer with(options);
  options.geometry = false;
  TranslatorTrainer without(options);
  CHECK(run(with, 1).loss != run(without, 1).loss);
}

TEST_CASE("a translator's step that is not finite leaves everything as it was") {
  for (const char* poisoned : {"to_source.pixels_bias", "target_judge.last_bias"}) {
    CAPTURE(poisoned);
    TranslatorTrainer trainer(small_translator());
    run(trainer, 1);
    for (const NamedTensor& item : trainer.state()) {
      if (item.name == poisoned) at::Tensor(item.value).fill_(std::numeric_limits<double>::quiet_NaN());
    }
    const auto before = copy_of(trainer);
    CHECK(code_of([&] { run(trainer, 1); }) == ErrorCode::non_finite);
    CHECK(same_bits(copy_of(trainer), before));
    CHECK(trainer.steps_done() == 1);
  }
}

TEST_CASE("a translator's state is named, and refused where it does not fit") {
  TranslatorTrainer trainer(small_translator());
  const auto state = copy_of(trainer);
  CHECK(state.front().name == "to_source.stem");
  CHECK(state.back().name == "trainer.step");
  for (const NamedTensor& item : trainer.state()) {
    CAPTURE(item.name);
    CHECK(item.value.is_contiguous());
    CHECK_FALSE(item.value.requires_grad());
  }
  auto shorter = state;
  shorter.pop_back();
  auto renamed = state;
  renamed.front().name = "to_source.root";
  for (const auto& bad : {shorter, renamed}) {
    CHECK(code_of([&] { trainer.load_state(bad); }) == ErrorCode::weights);
  }
}

TEST_CASE("what a translator cannot be asked for") {
  const auto refused = [](auto change) {
    TranslatorTrainOptions options = small_translator();
    change(options);
    return code_of([&] { TranslatorTrainer trainer(options); }) == ErrorCode::option;
  };
  CHECK(refused([](auto& o) { o.cycle = -1; }));
  CHECK(refused([](auto& o) { o.identity = std::numeric_limits<double>::quiet_NaN(); }));
  CHECK(refused([](auto& o) { o.pool = 0; }));
  CHECK(refused([](auto& o) { o.constant_steps = 41; }));
  CHECK(refused([](auto& o) { o.learning_rate = 0; }));
  CHECK(refused([](auto& o) { o.precision = "fp16"; }));
  CHECK(refused([](auto& o) { o.model.blocks = 0; }));
  TranslatorTrainer trainer(small_translator());
  CHECK(code_of([&] { trainer.step(source_tiles(2, 1), synthetic_tiles(2, 64, 1)); }) == ErrorCode::shape);
  CHECK(code_of([&] { trainer.step(source_tiles(2, 1).to(at::kFloat), target_tiles(2, 1)); }) ==
        ErrorCode::dtype);
}

TEST_CASE("a translator in bf16 follows the one in fp32") {
  TranslatorTrainOptions options = small_translator();
  TranslatorTrainer exact(options);
  options.precision = "bf16";
  TranslatorTrainer rounded(options);
  CHECK(rounded.precision() == "bf16");
  const TranslatorReport a = run(exact, 1), b = run(rounded, 1);
  CHECK(b.loss != a.loss);
  CHECK(b.loss == doctest::Approx(a.loss).epsilon(0.02));  // bf16 keeps 8 bits
}

namespace {

// The trainer's generator, outside of it.
at::Tensor painted_as_source(const TranslatorTrainer& trainer, const TranslatorConfig& model,
                             const at::Tensor& tiles) {
  Generator generator(model.width, model.blocks);
  std::vector<NamedTensor> own;
  append_weights(own, "to_source.", generator);
  copy_weights(own, trainer.state());
  const at::NoGradGuard no_grad;
  return tiles_of(generator.forward(image_of(tiles)));
}

double mean_difference(const at::Tensor& a, const at::Tensor& b) {
  return (a.to(at::kDouble) - b.to(at::kDouble)).abs().mean().item<double>();
}

}  // namespace

TEST_CASE("a translator learns a shift of colour between two sites, and keeps what is painted") {
  TranslatorTrainOptions options = small_translator();
  options.learning_rate = 2e-3;  // so that a few dozen steps suffice
  options.total_steps = 60;
  options.constant_steps = 30;
  TranslatorTrainer trainer(options);
  for (std::uint64_t s = 0; s < 60; ++s) trainer.step(source_tiles(8, s), target_tiles(8, s));

  // Tissue that neither site has shown, as both stain it.
  const at::Tensor truth = source_tiles(16, 777), tiles = restained(truth);
  const double wrong = mean_difference(painted_as_source(trainer, options.model, tiles), truth);
  const double unchanged = mean_difference(tiles, truth);
  const double one_colour =
      mean_difference(truth.to(at::kFloat).mean({0, 1, 2}).round().expand_as(truth), truth);
  MESSAGE("grey levels off: " << wrong << ", unchanged " << unchanged << ", mean colour " << one_colour);
  CHECK(wrong < 0.6 * unchanged);   // an idle network
  CHECK(wrong < 0.7 * one_colour);  // a network that has learnt the colour and lost the tissue
}
