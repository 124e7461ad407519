#include <torch/cuda.h>

#include "stainfold/trainer.h"
#include "testing.h"
#include "train/fixtures.h"

using namespace stainfold;
using namespace stainfold::testing;

namespace {

bool without_cuda() {
  if (torch::cuda::is_available()) return false;
  MESSAGE("skipped: no CUDA device can be had");
  return true;
}

TrainOptions cuda_options(const std::string& precision) {
  TrainOptions options = small_options();
  options.device = "cuda";
  options.precision = precision;
  return options;
}

void run_on_cuda(Trainer& trainer, std::int64_t steps) {
  for (std::int64_t s = 0; s < steps; ++s) {
    trainer.step(synthetic_tiles(8, 32, 100 + static_cast<std::uint64_t>(trainer.steps_done())));
  }
}

}  // namespace

TEST_CASE("on CUDA: a first step agrees with the CPU's") {
  if (without_cuda()) return;
  Trainer gpu(cuda_options("fp32")), cpu(small_options());
  const at::Tensor tiles = synthetic_tiles(8, 32, 1);
  const StepReport a = gpu.step(tiles), b = cpu.step(tiles);
  CHECK(gpu.device() == "cuda:0");
  CHECK(a.loss ==
        doctest::Approx(b.loss).epsilon(0.02));  // views differ by grey levels of the re-compression
  CHECK(a.reconstruction == doctest::Approx(b.reconstruction).epsilon(0.02));
}

TEST_CASE("on CUDA: training lowers the loss") {
  if (without_cuda()) return;
  for (const char* precision : {"fp32", "bf16"}) {
    CAPTURE(precision);
    Trainer trainer(cuda_options(precision));
    const at::Tensor tiles = synthetic_tiles(12, 32, 1);
    const StepReport first = trainer.step(tiles);
    StepReport last{};
    while (trainer.steps_done() < 40) last = trainer.step(tiles);
    CHECK(last.compaction < 0.7 * first.compaction);
    CHECK(last.reconstruction < 0.8 * first.reconstruction);
  }
}

TEST_CASE("on CUDA: the same seed gives the same bytes, and resuming equals never having stopped") {
  if (without_cuda()) return;
  for (const char* precision : {"fp32", "bf16"}) {
    CAPTURE(precision);
    Trainer whole(cuda_options(precision));
    run_on_cuda(whole, 3);
    const auto half_way = snapshot(whole);
    run_on_cuda(whole, 3);

    Trainer again(cuda_options(precision));
    run_on_cuda(again, 6);
    CHECK(same_bits(snapshot(again), snapshot(whole)));

    Trainer resumed(cuda_options(precision));
    resumed.load_state(half_way);
    run_on_cuda(resumed, 3);
    CHECK(same_bits(snapshot(resumed), snapshot(whole)));
  }
}

TEST_CASE("on CUDA: a loss that is not finite leaves everything as it was") {
  if (without_cuda()) return;
  Trainer trainer(cuda_options("auto"));
  run_on_cuda(trainer, 1);
  for (const NamedTensor& item : trainer.state()) {
    if (item.name == "encoder.head.bias")
      at::Tensor(item.value).fill_(std::numeric_limits<double>::quiet_NaN());
  }
  const auto before = snapshot(trainer);
  CHECK(code_of([&] { run_on_cuda(trainer, 1); }) == ErrorCode::non_finite);
  CHECK(same_bits(snapshot(trainer), before));
}

TEST_CASE("on CUDA: recorded steps are the steps that are not, over 20 of them, a smaller batch among them") {
  if (without_cuda()) return;
  for (const char* precision : {"fp32", "bf16"}) {
    CAPTURE(precision);
    TrainOptions options = cuda_options(precision);
    Trainer recorded(options);
    options.graph = false;
    Trainer plain(options);
    for (std::int64_t s = 0; s < 20; ++s) {
      const at::Tensor tiles = synthetic_tiles(s == 12 ? 5 : 8, 32, 500 + static_cast<std::uint64_t>(s));
      const StepReport a = recorded.step(tiles), b = plain.step(tiles);
      CAPTURE(s);
      // The same kernels on the same numbers; libraries may choose another algorithm for another workspace.
      CHECK(a.loss == doctest::Approx(b.loss).epsilon(s < 5 ? 1e-4 : 1e-2));
      CHECK(a.gradient_norm == doctest::Approx(b.gradient_norm).epsilon(s < 5 ? 1e-3 : 5e-2));
      CHECK(a.learning_rate == b.learning_rate);
    }
    CHECK(recorded.recorded());
    CHECK_FALSE(plain.recorded());
    CHECK(recorded.steps_done() == 20);
  }
}

TEST_CASE("on CUDA: what is recorded is the shape that batches have, not that of an odd first one") {
  if (without_cuda()) return;
  Trainer trainer(cuda_options("auto"));
  trainer.step(synthetic_tiles(5, 32, 1));
  for (std::int64_t s = 0; s < 5; ++s) trainer.step(synthetic_tiles(8, 32, 2));
  CHECK_FALSE(trainer.recorded());
  for (std::int64_t s = 0; s < 3; ++s) trainer.step(synthetic_tiles(8, 32, 2));
  CHECK(trainer.recorded());
}

TEST_CASE("on CUDA: resuming between recorded steps equals never having stopped") {
  if (without_cuda()) return;
  TrainOptions options = cuda_options("bf16");
  Trainer whole(options);
  run_on_cuda(whole, 8);
  REQUIRE(whole.recorded());
  const auto half_way = snapshot(whole);
  run_on_cuda(whole, 8);
  Trainer resumed(options);
  run_on_cuda(resumed, 6);  // recorded already: the state is copied to where the recording finds it
  REQUIRE(resumed.recorded());
  resumed.load_state(half_way);
  run_on_cuda(resumed, 8);
  CHECK(same_bits(snapshot(resumed), snapshot(whole)));
}

TEST_CASE("on CUDA: steps begun ahead are the steps one after the other") {
  if (without_cuda()) return;
  Trainer ahead(cuda_options("bf16")), plain(cuda_options("bf16"));
  CHECK(ahead.runs_ahead());
  const auto batch = [](std::int64_t s) {
    StepBatch made;
    made.tiles = synthetic_tiles(8, 32, 700 + static_cast<std::uint64_t>(s));
    return made;
  };
  ahead.begin(batch(0));
  for (std::int64_t s = 0; s < 10; ++s) {
    if (s < 9) ahead.begin(batch(s + 1));
    CHECK(ahead.collect().loss == plain.step(batch(s).tiles).loss);
  }
  CHECK(same_bits(snapshot(ahead), snapshot(plain)));
}

TEST_CASE("on CUDA: a recorded step that is not finite, and the one begun after it, have never been") {
  if (without_cuda()) return;
  Trainer trainer(cuda_options("auto"));
  run_on_cuda(trainer, 6);
  REQUIRE(trainer.recorded());
  for (const NamedTensor& item : trainer.state()) {
    if (item.name == "encoder.head.bias")
      at::Tensor(item.value).fill_(std::numeric_limits<double>::quiet_NaN());
  }
  const auto before = snapshot(trainer);
  StepBatch batch;
  batch.tiles = synthetic_tiles(8, 32, 1);
  trainer.begin(batch);
  trainer.begin(batch);
  CHECK(code_of([&] { trainer.collect(); }) == ErrorCode::non_finite);
  CHECK(same_bits(snapshot(trainer), before));
}
