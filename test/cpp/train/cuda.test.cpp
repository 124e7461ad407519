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
