#include <ATen/ATen.h>
#include <torch/cuda.h>

#include "stainfold/translator_trainer.h"
#include "testing.h"
#include "train/translator_fixtures.h"

using namespace stainfold;
using namespace stainfold::testing;

namespace {

bool translator_without_cuda() {
  if (torch::cuda::is_available()) return false;
  MESSAGE("skipped: no CUDA device can be had");
  return true;
}

TranslatorTrainOptions translator_on(const std::string& device) {
  TranslatorTrainOptions options = small_translator();
  options.device = device;
  options.precision = "fp32";
  return options;
}

std::vector<NamedTensor> state_after(const std::string& device, std::uint64_t steps, double& loss) {
  TranslatorTrainer trainer(translator_on(device));
  for (std::uint64_t s = 0; s < steps; ++s) loss = trainer.step(source_tiles(8, s), target_tiles(8, s)).loss;
  std::vector<NamedTensor> copy = trainer.state();
  for (NamedTensor& item : copy) item.value = item.value.to(at::kCPU).clone();
  return copy;
}

}  // namespace

TEST_CASE("on CUDA: a translator's first step agrees with the CPU's, and two runs with each other") {
  if (translator_without_cuda()) return;
  double gpu = 0, cpu = 0, again = 0;
  state_after("cuda", 1, gpu);
  state_after("cpu", 1, cpu);
  CHECK(gpu == doctest::Approx(cpu).epsilon(1e-4));  // float32 sums in another order
  CHECK(same_bits(state_after("cuda", 4, gpu), state_after("cuda", 4, again)));
}
