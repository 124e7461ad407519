#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>
#include <torch/library.h>

#include <optional>

#include "core/cuda/check.h"
#include "ops/bias_activation.h"
#include "ops/cuda/bias_activation_launch.h"

namespace stainfold::ops {
namespace {

std::optional<epilogue::Element> element_of(at::ScalarType type) {
  switch (type) {
    case at::kFloat:
      return epilogue::Element::float32;
    case at::kHalf:
      return epilogue::Element::float16;
    case at::kBFloat16:
      return epilogue::Element::bfloat16;
    default:
      return std::nullopt;
  }
}

constexpr std::uintptr_t kPackBytes = 16;

bool in_packs(const at::Tensor& x, const at::Tensor& like) {
  return x.scalar_type() == like.scalar_type() && x.device() == like.device() &&
         reinterpret_cast<std::uintptr_t>(x.const_data_ptr()) % kPackBytes == 0;
}

at::Tensor& bias_activation_cuda(at::Tensor& y, const at::Tensor& bias,
                                 const std::optional<at::Tensor>& residual, bool relu) {
  const auto element = element_of(y.scalar_type());
  const auto rows_in_packs = [&](const at::Tensor& x) {
    return x.is_contiguous(at::MemoryFormat::ChannelsLast) && in_packs(x, y);
  };
  if (!element || y.size(1) * y.element_size() % static_cast<std::int64_t>(kPackBytes) != 0 ||
      !rows_in_packs(y) || !bias.is_contiguous() || !in_packs(bias, y) ||
      (residual && !rows_in_packs(*residual))) {
    return bias_activation_any(y, bias, residual, relu);
  }
  const c10::cuda::CUDAGuard device(y.device());
  cuda::check(epilogue::launch_bias_activation(y.mutable_data_ptr(), bias.const_data_ptr(),
                                               residual ? residual->const_data_ptr() : nullptr, *element,
                                               y.size(0) * y.size(2) * y.size(3), y.size(1), relu,
                                               c10::cuda::getCurrentCUDAStream()),
              "bias and activation");
  return y;
}

TORCH_LIBRARY_IMPL(stainfold, CUDA, library) { library.impl("bias_activation_", &bias_activation_cuda); }

}  // namespace
}  // namespace stainfold::ops
