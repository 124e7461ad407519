#include "stainfold/device.h"

#include <ATen/Parallel.h>
#include <ATen/Version.h>
#include <c10/core/Device.h>
#include <torch/cuda.h>
#include <torch/version.h>

#include <charconv>

#include "core/cuda_info.h"
#include "stainfold/error.h"

namespace stainfold {
namespace {

// "2.13.0" of "2.13.0+cpu".
std::string runtime_version() {
  const std::string version = TORCH_VERSION;
  return version.substr(0, version.find('+'));
}

std::string reason_cuda_is_unavailable() { return torch::cuda::is_available() ? "" : cuda_driver_reason(); }

}  // namespace

Status status() {
  Status result;
  result.version = STAINFOLD_VERSION;
  result.libtorch = runtime_version();
  result.cuda_version = cuda_runtime_version();
  result.cuda_compiled = !result.cuda_version.empty();
  result.cuda_unavailable = reason_cuda_is_unavailable();
  if (result.cuda_unavailable.empty()) result.devices = cuda_devices();
  result.threads = at::get_num_threads();
  result.cpu_capability = at::get_cpu_capability();
  return result;
}

c10::Device resolve_device(const std::string& name) {
  if (name == "cpu") return c10::Device(c10::kCPU);
  const bool automatic = name == "auto";
  int index = 0;
  if (name.rfind("cuda:", 0) == 0) {
    const char* const end = name.data() + name.size();
    const auto parsed = std::from_chars(name.data() + 5, end, index);
    if (parsed.ec != std::errc() || parsed.ptr != end || index < 0) {
      throw Error(ErrorCode::device, "device must be auto, cpu, cuda or cuda:N, got '" + name + "'");
    }
  } else if (!automatic && name != "cuda") {
    throw Error(ErrorCode::device, "device must be auto, cpu, cuda or cuda:N, got '" + name + "'");
  }

  const std::string reason = reason_cuda_is_unavailable();
  if (!reason.empty()) {
    if (automatic) return c10::Device(c10::kCPU);
    throw Error(ErrorCode::device, "device '" + name + "' cannot be had: " + reason);
  }
  const auto count = static_cast<int>(torch::cuda::device_count());
  if (index >= count) {
    throw Error(ErrorCode::device, "device '" + name + "' cannot be had: this machine has " +
                                       std::to_string(count) + " CUDA device(s)");
  }
  return c10::Device(c10::kCUDA, static_cast<c10::DeviceIndex>(index));
}

void set_threads(int threads) {
  if (threads < 0) throw Error(ErrorCode::option, "threads must be >= 0, got " + std::to_string(threads));
  if (threads > 0) at::set_num_threads(threads);
}

}  // namespace stainfold
