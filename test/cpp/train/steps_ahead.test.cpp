// Steps in two halves, and the tensors that stay where they are: on the CPU the same code runs as on a GPU,
// less the recording.
#include <ATen/ATen.h>

#include <limits>

#include "napi/pending_steps.h"
#include "testing.h"
#include "train/adamw.h"
#include "train/fixtures.h"
#include "train/step_inputs.h"

using namespace stainfold;
using namespace stainfold::testing;

namespace {

StepBatch numbered_batch(std::int64_t number, std::int64_t tiles = 8) {
  StepBatch batch;
  batch.tiles = synthetic_tiles(tiles, 32, 300 + static_cast<std::uint64_t>(number));
  return batch;
}

void poison(const Trainer& trainer, double value) {
  for (const NamedTensor& item : trainer.state()) {
    if (item.name == "encoder.head.bias") at::Tensor(item.value)[0] = value;
  }
}

}  // namespace

TEST_CASE("steps begun ahead are the steps one after the other, bit by bit") {
  Trainer ahead(small_options()), plain(small_options());
  ahead.begin(numbered_batch(0));
  for (std::int64_t number = 1; number <= 5; ++number) {
    if (number < 5) ahead.begin(numbered_batch(number));
    const StepReport report = ahead.collect();
    CHECK(report.step == number);
    const StepReport wanted = plain.step(numbered_batch(number - 1).tiles);
    CHECK(report.loss == wanted.loss);
    CHECK(report.rank == wanted.rank);
    CHECK(report.learning_rate == wanted.learning_rate);
  }
  CHECK(ahead.under_way() == 0);
  CHECK(ahead.steps_done() == 5);
  CHECK(same_bits(snapshot(ahead), snapshot(plain)));
}

TEST_CASE("tensors that stay where they are change nothing, batches of another size among them") {
  TrainOptions options = small_options();
  options.clip_norm = 0.3;  // not a binary fraction, and exceeded
  Trainer fixed(options);
  options.graph = false;
  Trainer loose(options);
  for (std::int64_t number = 0; number < 9; ++number) {
    const StepBatch batch = numbered_batch(number, number == 0 || number == 6 ? 5 : 8);
    const StepReport a = fixed.step(batch.tiles), b = loose.step(batch.tiles);
    CHECK(a.tiles == batch.tiles.size(0));
    CHECK(a.loss == b.loss);
    CHECK(a.gradient_norm > 0.3);
  }
  CHECK_FALSE(fixed.recorded());
  CHECK(same_bits(snapshot(fixed), snapshot(loose)));
}

TEST_CASE("a step that is not finite and those begun after it have never been") {
  Trainer trainer(small_options()), undisturbed(small_options());
  trainer.step(numbered_batch(0).tiles);
  undisturbed.step(numbered_batch(0).tiles);
  double sound = 0;
  for (const NamedTensor& item : trainer.state()) {
    if (item.name == "encoder.head.bias") sound = item.value[0].item<double>();
  }
  poison(trainer, std::numeric_limits<double>::quiet_NaN());
  const auto before = snapshot(trainer);
  trainer.begin(numbered_batch(1));
  trainer.begin(numbered_batch(2));
  CHECK(code_of([&] { trainer.collect(); }) == ErrorCode::non_finite);
  CHECK(trainer.under_way() == 0);
  CHECK(trainer.steps_done() == 1);
  CHECK(same_bits(snapshot(trainer), before));

  poison(trainer, sound);  // what failed is forgotten
  trainer.step(numbered_batch(1).tiles);
  undisturbed.step(numbered_batch(1).tiles);
  CHECK(same_bits(snapshot(trainer), snapshot(undisturbed)));
}

TEST_CASE("the halves of a step are used in order or refused") {
  Trainer trainer(small_options());
  CHECK(code_of([&] { trainer.collect(); }) == ErrorCode::state);
  trainer.begin(numbered_batch(0));
  CHECK(code_of([&] { trainer.step(numbered_batch(1).tiles); }) == ErrorCode::state);
  CHECK(code_of([&] { trainer.state(); }) == ErrorCode::state);
  trainer.begin(numbered_batch(1));
  CHECK(code_of([&] { trainer.begin(numbered_batch(2)); }) == ErrorCode::state);
  CHECK(trainer.collect().step == 1);
  CHECK(trainer.collect().step == 2);
  CHECK_FALSE(trainer.runs_ahead());
  StepBatch wrong = numbered_batch(2);
  wrong.tiles = wrong.tiles.narrow(0, 0, 1);
  CHECK(code_of([&] { trainer.begin(wrong); }) == ErrorCode::shape);
  CHECK(trainer.under_way() == 0);
  CHECK(trainer.steps_done() == 2);
}

TEST_CASE("fixed inputs take values of their own shapes only, and keep their places") {
  const auto inputs = [](std::int64_t tiles, double value, bool labelled) {
    StepInputs made;
    made.views = {at::full({2 * tiles, 3, 4, 4}, value), at::full({tiles, 3, 4, 4}, value),
                  at::full({2 * tiles}, static_cast<std::int64_t>(value), at::kLong)};
    if (labelled) made.labels.group = at::full({tiles}, static_cast<std::int64_t>(value), at::kLong);
    made.decoded_view = at::zeros({tiles}, at::kLong);
    made.schedule = at::full({3}, value, at::kDouble);
    return made;
  };
  FixedStep fixed;
  REQUIRE(fixed.take(inputs(4, 1, true), 8));
  const void* const place = fixed.inputs().views.pixels.const_data_ptr();
  CHECK(fixed.outputs().z.sizes() == at::IntArrayRef({8, 8}));
  CHECK(fixed.take(inputs(4, 2, true), 8));
  CHECK(fixed.inputs().views.pixels.const_data_ptr() == place);
  CHECK(fixed.inputs().views.pixels.eq(2).all().item<bool>());
  CHECK(fixed.inputs().labels.group->eq(2).all().item<bool>());
  CHECK(fixed.inputs().schedule.eq(2).all().item<bool>());
  CHECK_FALSE(fixed.take(inputs(3, 3, true), 8));
  CHECK_FALSE(fixed.take(inputs(4, 3, false), 8));
  StepInputs turned = inputs(4, 3, true);
  turned.views.pixels = turned.views.pixels.contiguous(at::MemoryFormat::ChannelsLast);
  CHECK_FALSE(fixed.take(turned, 8));
  CHECK(fixed.inputs().views.source.eq(2).all().item<bool>());  // what is refused leaves nothing
  const StepInputs given = inputs(2, 1, false);
  FixedStep other;
  REQUIRE(other.take(given, 8));
  given.views.pixels.zero_();
  CHECK(other.inputs().views.pixels.eq(1).all().item<bool>());  // a copy
}

TEST_CASE("an update by numbers on the device is the update by numbers of the host, and can be skipped") {
  at::manual_seed(4);
  const at::Tensor a = at::randn({3, 4}), b = at::randn({5});
  const at::Tensor x[] = {a.clone(), b.clone()}, y[] = {a.clone(), b.clone()};
  AdamW host({{"m", x[0]}, {"v", x[1]}}, 0.05), device({{"m", y[0]}, {"v", y[1]}}, 0.05);
  const auto number = [](double value, at::ScalarType type) { return at::scalar_tensor(value, type); };
  for (int t = 1; t <= 4; ++t) {
    for (int i = 0; i < 2; ++i) {
      const at::Tensor gradient = at::randn_like(x[i]);
      at::Tensor(x[i]).mutable_grad() = gradient;
      at::Tensor(y[i]).mutable_grad() = gradient.clone();
    }
    const double rate = 1e-3 / t, scale = t == 2 ? 0.7 : 1.0;
    host.step(rate, t, scale);
    device.step({number(rate, at::kDouble), number(t, at::kDouble), number(scale, at::kFloat),
                 number(0, at::kFloat)});
    for (int i = 0; i < 2; ++i) CHECK(same_bits(x[i], y[i]));
  }
  std::vector<NamedTensor> moments;
  device.append_state(moments);
  const at::Tensor moment = moments[0].value.clone();
  at::Tensor(y[0]).mutable_grad() = at::full_like(y[0], std::numeric_limits<double>::quiet_NaN());
  device.step({number(1e-3, at::kDouble), number(5, at::kDouble), {}, number(1, at::kFloat)});
  CHECK(same_bits(y[0], x[0]));
  CHECK(same_bits(moments[0].value, moment));
}

TEST_CASE(
    "the next step asked for is begun while one is computed, but not over a bar, and not when all is off") {
  Trainer ahead(small_options()), plain(small_options());
  addon::PendingSteps pending(/*on_cpu_too=*/true);
  std::vector<StepBatch> batches;
  for (std::int64_t number = 0; number < 5; ++number) batches.push_back(numbered_batch(number));
  std::vector<std::uint64_t> tickets;
  const auto ask = [&](std::size_t number) { tickets.push_back(pending.add(batches[number])); };
  const auto done = [&](std::size_t number) {
    CHECK(pending.run(ahead, tickets[number], batches[number]).loss ==
          plain.step(batches[number].tiles).loss);
  };
  ask(0);
  ask(1);
  done(0);
  CHECK(ahead.under_way() == 1);
  CHECK(pending.bar() > tickets.back());
  ask(2);
  done(1);
  CHECK(ahead.under_way() == 0);  // a checkpoint may be taken here
  CHECK(same_bits(snapshot(ahead), snapshot(plain)));
  ask(3);
  done(2);
  CHECK(ahead.under_way() == 1);
  ask(4);
  pending.clear();
  done(3);
  CHECK(ahead.under_way() == 0);
  done(4);
  CHECK(same_bits(snapshot(ahead), snapshot(plain)));
}

TEST_CASE("a step begun ahead of one that fails is begun again, and told of what is wrong with itself") {
  Trainer trainer(small_options());
  addon::PendingSteps pending(/*on_cpu_too=*/true);
  const StepBatch sound = numbered_batch(0);
  StepBatch wrong = numbered_batch(1);
  wrong.tiles = wrong.tiles.narrow(0, 0, 1);
  const std::uint64_t first = pending.add(sound), second = pending.add(wrong), third = pending.add(sound);
  CHECK(pending.run(trainer, first, sound).step == 1);
  CHECK(trainer.under_way() == 0);
  CHECK(code_of([&] { pending.run(trainer, second, wrong); }) == ErrorCode::shape);
  poison(trainer, std::numeric_limits<double>::quiet_NaN());
  const std::uint64_t fourth = pending.add(sound);
  CHECK(code_of([&] { pending.run(trainer, third, sound); }) == ErrorCode::non_finite);
  CHECK(trainer.under_way() == 0);
  poison(trainer, 0.0);
  CHECK(pending.run(trainer, fourth, sound).step == 2);
}
