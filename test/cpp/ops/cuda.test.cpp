// Every operator on a CUDA device against the CPU in float64. Without a device it says so.
#include <ATen/ATen.h>
#include <torch/cuda.h>

#include "ops/bias_activation.h"
#include "ops/golden.h"
#include "ops/reference.h"
#include "stainfold/losses.h"
#include "testing.h"

using namespace stainfold;
using namespace stainfold::testing;

namespace {

bool has_device() {
  if (torch::cuda::is_available()) return true;
  MESSAGE("skipped: no CUDA device");
  return false;
}

using Loss = std::function<at::Tensor(const at::Tensor&)>;

ValueAndGradient on_device(const Loss& loss, const at::Tensor& z) {
  return differentiate(loss, z.to(at::kCUDA));
}

void compare_compaction(const at::Tensor& z, std::int64_t tiles, const OptionalTensor& group = std::nullopt) {
  CAPTURE(z.sizes());
  CAPTURE(z.scalar_type());
  const Loss loss = [&](const at::Tensor& x) { return compaction_loss(x, tiles, 0.2, group); };
  const auto device = on_device(loss, z);
  const auto cpu = differentiate(loss, z.to(at::kDouble));
  const bool wide = z.scalar_type() == at::kDouble;
  CHECK(device.gradient.is_cuda());
  CHECK(relative_error(device.value, cpu.value) < (wide ? 1e-10 : 1e-5));
  // float32: similarities of size 1/temperature carry roundings of 1e-7 / temperature.
  CHECK(gradient_error(device.gradient, cpu.gradient, z, 0.2) < (wide ? 1e-10 : 2e-5));
}

}  // namespace

TEST_CASE("compaction on CUDA agrees with the CPU") {
  if (!has_device()) return;
  for (const at::ScalarType type : {at::kDouble, at::kFloat}) {
    for (const std::int64_t rows : {2, 7, 64, 257, 1024, 2050}) {
      for (const std::int64_t dim : {1, 8, 130, 512}) {
        compare_compaction(golden_embedding(rows, dim, 0.1).to(type), rows / 2);
      }
    }
    compare_compaction(golden_embedding(100, 4096, 0.1).to(type), 10);
    at::Tensor hard = golden_embedding(700, 9, 0.1).to(type);
    hard[3] *= 1e6;
    hard[9].zero_();
    hard[20].copy_(hard[11]);
    compare_compaction(hard, 10, at::tensor({0, 0, 1, 1, 1, -1, -1, 2, 3, 9}, at::kLong));
    compare_compaction(hard.t().slice(1, 0, 700, 7), 4);
  }
}

TEST_CASE("compaction on CUDA gathers squares of several tiles") {
  if (!has_device()) return;
  // More than 32 tiles of 128 rows: squares of two tiles, and a last one that is not full.
  compare_compaction(golden_embedding(4400, 40, 0.1).to(at::kFloat), 2200);
  compare_compaction(golden_embedding(4290, 257, 0.1).to(at::kFloat), 1430);
}

// compute-sanitizer runs this one: every kernel and every branch of ours once, and little else.
TEST_CASE("sanitizer: compaction and the epilogue on CUDA, small") {
  if (!has_device()) return;
  for (const at::ScalarType type : {at::kDouble, at::kFloat}) {
    const at::Tensor z = golden_embedding(270, 40, 0.1).to(type).to(at::kCUDA);
    const at::Tensor group = at::arange(135, at::kLong).div(3, "floor").to(at::kCUDA);
    for (const OptionalTensor& excluded : {OptionalTensor(), OptionalTensor(group)}) {
      const auto out = differentiate(
          [&](const at::Tensor& x) { return compaction_loss(x, 135, 0.2, excluded); }, z);
      CHECK(out.value.isfinite().item<bool>());
      CHECK(out.gradient.isfinite().all().item<bool>());
    }
  }
  for (const at::ScalarType type : {at::kFloat, at::kHalf, at::kBFloat16}) {
    const at::TensorOptions options = at::TensorOptions().dtype(type).device(at::kCUDA);
    at::Tensor y = at::ones({2, 16, 5, 7}, options).contiguous(at::MemoryFormat::ChannelsLast);
    const at::Tensor residual = y.clone();
    ops::bias_activation_(y, at::ones({16}, options), residual, true);
    CHECK(y.eq(3).all().item<bool>());
  }
}

TEST_CASE("compaction on CUDA gives the same bytes every time") {
  if (!has_device()) return;
  for (const at::ScalarType type : {at::kDouble, at::kFloat}) {
    const at::Tensor z = golden_embedding(1500, 70, 0.1).to(type);
    const Loss loss = [](const at::Tensor& x) { return compaction_loss(x, 375, 0.2); };
    const auto first = on_device(loss, z);
    for (int i = 0; i < 5; ++i) {
      const auto again = on_device(loss, z);
      CHECK(at::equal(again.value, first.value));
      CHECK(at::equal(again.gradient, first.gradient));
    }
  }
}

TEST_CASE("the other terms on CUDA agree with the CPU") {
  if (!has_device()) return;
  const at::Tensor z = golden_embedding(130, 20, 0.1), other = golden_embedding(130, 20, 0.25);
  const at::Tensor image = golden_embedding(2 * 3 * 17, 19, 0).view({2, 3, 17, 19});
  const at::Tensor target = golden_embedding(2 * 3 * 17, 19, 0.25).view({2, 3, 17, 19});
  const std::pair<Loss, at::Tensor> cases[] = {
      {[](const at::Tensor& x) { return scatter_ratio(x, 33); }, z},
      {[&](const at::Tensor& x) { return cross_correlation_loss(x, other.to(x.device()), 0.01); }, z},
      {[&](const at::Tensor& x) { return reconstruction_loss(x, target.to(x.device())); }, image},
      {[](const at::Tensor& x) { return (reverse_gradient(x, 0.3) * x).sum(); }, z},
  };
  for (const auto& [loss, input] : cases) {
    const auto device = on_device(loss, input), again = on_device(loss, input),
               cpu = differentiate(loss, input);
    CHECK(relative_error(device.value, cpu.value) < 1e-10);
    CHECK(relative_error(device.gradient, cpu.gradient) < 1e-10);
    CHECK(at::equal(device.gradient, again.gradient));
  }
}
