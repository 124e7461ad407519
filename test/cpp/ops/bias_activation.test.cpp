// bias_activation_ against its definition, on the CPU and, where there is one, on a CUDA device.
#include "ops/bias_activation.h"

#include <ATen/ATen.h>
#include <torch/cuda.h>

#include "testing.h"

using namespace stainfold;
using namespace stainfold::testing;

namespace {

at::Tensor epilogue_reference(const at::Tensor& y, const at::Tensor& bias,
                              const std::optional<at::Tensor>& residual, bool relu) {
  at::Tensor sum = y.to(at::kDouble) + bias.to(at::kDouble).view({1, -1, 1, 1});
  if (residual) sum = sum + residual->to(at::kDouble);
  return relu ? sum.clamp_min(0) : sum;
}

// How far a result of this type may be off: one rounding of sums of size 10.
double epilogue_tolerance(at::ScalarType type) {
  return type == at::kFloat ? 2e-6 : type == at::kHalf ? 1e-2 : 8e-2;
}

void compare_epilogue(const at::TensorOptions& options, at::MemoryFormat layout, std::int64_t channels) {
  CAPTURE(options.dtype());
  CAPTURE(channels);
  at::manual_seed(3);
  const std::vector<std::int64_t> shape{3, channels, 5, 9};
  const auto random = [&] { return at::randn(shape).to(options).contiguous(layout); };
  const at::Tensor bias = at::randn({channels}).to(options);
  for (const bool relu : {false, true}) {
    for (const bool with : {false, true}) {
      at::Tensor y = random();
      const std::optional<at::Tensor> residual = with ? std::optional(random()) : std::nullopt;
      const at::Tensor wanted = epilogue_reference(y, bias, residual, relu);
      const void* const place = y.const_data_ptr();
      ops::bias_activation_(y, bias, residual, relu);
      CHECK(y.const_data_ptr() == place);
      const double error = (y.to(at::kDouble) - wanted).abs().max().item<double>();
      CHECK(error <= epilogue_tolerance(y.scalar_type()));
    }
  }
}

}  // namespace

TEST_CASE("bias_activation_ is its definition, whatever the type and layout") {
  std::vector<at::Device> devices{at::kCPU};
  if (torch::cuda::is_available()) devices.emplace_back(at::kCUDA);
  if (devices.size() == 1) MESSAGE("on the CPU alone: no CUDA device");
  for (const at::Device device : devices) {
    for (const at::ScalarType type : {at::kFloat, at::kHalf, at::kBFloat16}) {
      const at::TensorOptions options = at::TensorOptions().dtype(type).device(device);
      for (const std::int64_t channels : {16, 112, 7})
        compare_epilogue(options, at::MemoryFormat::ChannelsLast, channels);
      compare_epilogue(options, at::MemoryFormat::Contiguous, 16);
    }
  }
}

TEST_CASE("bias_activation_ refuses what does not fit") {
  at::Tensor y = at::zeros({1, 16, 2, 2});
  CHECK_THROWS_AS(ops::bias_activation_(y, at::zeros({8}), std::nullopt, true), Error);
  CHECK_THROWS_AS(ops::bias_activation_(y, at::zeros({16}), at::zeros({1, 16, 2, 3}), true), Error);
}
