// What a precision option means on a device.
#pragma once

#include <ATen/core/Tensor.h>

#include <string>

namespace stainfold {

// "fp32", "bf16", "fp16", or "auto": bf16 on CUDA devices that compute in it (compute capability 8), else
// fp32. Throws ErrorCode::option for other names, and for fp16 on the CPU, which has no fast kernels for it.
at::ScalarType resolve_precision(const std::string& name, at::Device device);

std::string precision_name(at::ScalarType type);

// Makes cuDNN choose deterministic algorithms, by rule and not by timing, and compute fp32 as fp32 rather
// than TF32. These are switches of the process and stay as they are set; nothing happens for the CPU.
void settle_cuda(at::Device device);

}  // namespace stainfold
