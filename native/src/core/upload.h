// From the host to where the work is.
#pragma once

#include <ATen/core/Tensor.h>

namespace stainfold {

// Pinned on the way to a GPU, so that the copy runs beside the CPU's work and nobody waits for it.
inline at::Tensor upload(const at::Tensor& host, at::Device device) {
  return device.is_cuda() && host.is_cpu() ? host.pin_memory().to(device, /*non_blocking=*/true)
                                           : host.to(device);
}

}  // namespace stainfold
