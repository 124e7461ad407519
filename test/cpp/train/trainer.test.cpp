#include <ATen/ATen.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/nn/module.h>

#include <cmath>
#include <limits>

#include "testing.h"
#include "train/fixtures.h"

using namespace stainfold;
using namespace stainfold::testing;

namespace {

// Each step has its own batch, as a real run has.
at::Tensor batch_of(std::int64_t step) {
  return synthetic_tiles(8, 32, 100 + static_cast<std::uint64_t>(step));
}

void run(Trainer& trainer, std::int64_t steps) {
  for (std::int64_t s = 0; s < steps; ++s) trainer.step(batch_of(trainer.steps_done()));
}

}  // namespace

TEST_CASE("training lowers the loss and reports what it did") {
  Trainer trainer(small_options());
  const at::Tensor tiles = synthetic_tiles(12, 32, 1);
  const StepReport first = trainer.step(tiles);
  CHECK(first.step == 1);
  CHECK(first.tiles == 12);
  CHECK(first.discriminator_chance == doctest::Approx(0.25));
  CHECK(first.learning_rate == doctest::Approx(1e-3 / 4));
  CHECK(first.scatter > 0.0);
  CHECK(first.scatter < 1.0);
  CHECK(first.gradient_norm > 0.0);
  CHECK(first.rank > 1.0);
  CHECK(first.rank <= 24.0);
  const LossWeights weights;
  CHECK(first.loss ==
        doctest::Approx(weights.compaction * first.compaction + weights.scatter * first.scatter +
                        weights.reconstruction * first.reconstruction +
                        weights.adversarial * first.adversarial));
  StepReport last{};
  while (trainer.steps_done() < 40) last = trainer.step(tiles);
  CHECK(last.step == 40);
  CHECK(last.compaction < 0.7 * first.compaction);
  CHECK(last.scatter < first.scatter);
  CHECK(last.reconstruction < 0.8 * first.reconstruction);
}

TEST_CASE("the same seed gives the same bytes, whatever else the process draws") {
  Trainer a(small_options());
  run(a, 3);
  at::manual_seed(99);
  Trainer b(small_options());
  for (std::int64_t s = 0; s < 3; ++s) {
    at::rand({7});
    b.step(batch_of(s));
  }
  CHECK(same_bits(snapshot(a), snapshot(b)));

  TrainOptions other = small_options();
  other.seed = 2;
  Trainer c(other);
  run(c, 3);
  CHECK_FALSE(same_bits(snapshot(a), snapshot(c)));
}

TEST_CASE("a resumed run is, bit by bit, the run that was never interrupted") {
  Trainer whole(small_options());
  run(whole, 3);
  const auto half_way = snapshot(whole);
  run(whole, 3);

  TrainOptions options = small_options();
  Trainer resumed(options);
  run(resumed, 1);  // what it did before must not matter
  resumed.load_state(half_way);
  CHECK(resumed.steps_done() == 3);
  CHECK(same_bits(snapshot(resumed), half_way));
  run(resumed, 3);
  CHECK(same_bits(snapshot(resumed), snapshot(whole)));
}

TEST_CASE("the state is named, ordered and live") {
  Trainer trainer(small_options());
  const auto live = trainer.state();
  const auto before = snapshot(trainer);
  run(trainer, 1);
  CHECK(same_bits(live, trainer.state()));
  CHECK_FALSE(same_bits(before, trainer.state()));
  CHECK(live.front().name == "encoder.stem.weight");
  CHECK(live.back().name == "trainer.step");
  CHECK((live.back().value.scalar_type() == at::kLong));
  CHECK(live.back().value.sizes() == at::IntArrayRef({1}));
  for (const NamedTensor& item : live) {
    CAPTURE(item.name);
    CHECK(item.value.is_non_overlapping_and_dense());
    CHECK_FALSE(item.value.requires_grad());
  }
}

TEST_CASE("a state that does not fit is refused, and nothing changes") {
  Trainer trainer(small_options());
  run(trainer, 1);
  const auto before = snapshot(trainer);
  auto shorter = before;
  shorter.pop_back();
  auto renamed = before;
  renamed.front().name = "encoder.root.weight";
  auto misshapen = before;
  misshapen.front().value = at::zeros({2});
  for (const auto& bad : {shorter, renamed, misshapen}) {
    CHECK(code_of([&] { trainer.load_state(bad); }) == ErrorCode::weights);
    CHECK(same_bits(snapshot(trainer), before));
  }
}

TEST_CASE("a loss that is not finite stops the step and leaves everything as it was") {
  for (const double poison :
       {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()}) {
    Trainer trainer(small_options());
    run(trainer, 1);
    for (const NamedTensor& item : trainer.state()) {
      if (item.name == "encoder.head.bias") at::Tensor(item.value)[0] = poison;
    }
    const auto before = snapshot(trainer);
    CHECK(code_of([&] { run(trainer, 1); }) == ErrorCode::non_finite);
    CHECK(same_bits(snapshot(trainer), before));
    CHECK(trainer.steps_done() == 1);
  }
}

TEST_CASE("real labs join the virtual ones") {
  TrainOptions options = small_options();
  options.real_labs = 3;
  Trainer trainer(options);
  const at::Tensor real_lab = at::tensor({0, 1, 2, 0, 1, 2, 0, 1}, at::kLong);
  const auto before = snapshot(trainer);
  for (std::int64_t s = 0; s < 2; ++s) trainer.step(batch_of(s), real_lab);
  bool found = false;
  const auto after = snapshot(trainer);
  for (std::size_t i = 0; i < after.size(); ++i) {
    if (after[i].name != "discriminator.real.weight") continue;
    found = true;
    CHECK(after[i].value.size(0) == 3);
    CHECK_FALSE(same_bits(after[i].value, before[i].value));
  }
  CHECK(found);
}

TEST_CASE("groups change what is pushed apart") {
  Trainer with(small_options()), without(small_options());
  const at::Tensor group = at::zeros({8}, at::kLong);  // all tiles are neighbours: nothing is pushed
  CHECK(with.step(batch_of(0), {}, group).compaction < 0.5 * without.step(batch_of(0)).compaction);
}

TEST_CASE("clipping bounds the step, not the report") {
  TrainOptions options = small_options();
  options.clip_norm = 1e-6;
  Trainer clipped(options);
  options.clip_norm = 0.0;
  Trainer free(options);
  const StepReport a = clipped.step(batch_of(0)), b = free.step(batch_of(0));
  CHECK(a.gradient_norm == doctest::Approx(b.gradient_norm));
  const auto moment = [](const Trainer& trainer) {
    double sum = 0;
    for (const NamedTensor& item : trainer.state()) {
      if (item.name.ends_with(".exp_avg")) sum += item.value.square().sum().item<double>();
    }
    return std::sqrt(sum);
  };
  CHECK(moment(clipped) == doctest::Approx(0.1 * 1e-6).epsilon(1e-3));  // (1 - beta1) times the clipped norm
  CHECK(moment(free) == doctest::Approx(0.1 * b.gradient_norm).epsilon(1e-3));
}

TEST_CASE("training in bf16 follows training in fp32") {
  TrainOptions options = small_options();
  Trainer exact(options);
  options.precision = "bf16";
  Trainer rounded(options);
  CHECK(rounded.precision() == "bf16");
  const StepReport a = exact.step(batch_of(0)), b = rounded.step(batch_of(0));
  CHECK(b.loss != a.loss);
  CHECK(b.loss == doctest::Approx(a.loss).epsilon(0.02));  // bf16 keeps 8 bits
  for (const NamedTensor& item : rounded.state()) {
    if (item.name != "trainer.step") CHECK((item.value.scalar_type() == at::kFloat));
  }
}

TEST_CASE("each loss can be switched off, and views can be more than two") {
  for (const LossWeights& weights :
       {LossWeights{1, 0, 0, 0}, LossWeights{0, 1, 0, 0}, LossWeights{0, 0, 1, 0}, LossWeights{0, 0, 0, 1}}) {
    TrainOptions options = small_options();
    options.weights = weights;
    options.views = 3;
    Trainer trainer(options);
    CHECK(std::isfinite(trainer.step(batch_of(0)).loss));
  }
  TrainOptions options = small_options();
  options.compaction = CompactionKind::cross_correlation;
  Trainer trainer(options);
  CHECK(std::isfinite(trainer.step(batch_of(0)).loss));
}
