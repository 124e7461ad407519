#include "core/cuda_info.h"

#include <c10/cuda/CUDACachingAllocator.h>
#include <cuda_runtime_api.h>

#include "stainfold/device.h"

namespace stainfold {
namespace {

std::string dotted(int version) {
  return std::to_string(version / 1000) + "." + std::to_string(version % 1000 / 10);
}

}  // namespace

std::string cuda_runtime_version() { return dotted(CUDART_VERSION); }

std::string cuda_driver_reason() {
  int driver = 0;
  if (cudaDriverGetVersion(&driver) != cudaSuccess || driver == 0) {
    cudaGetLastError();
    return "no NVIDIA driver is installed (libcuda.so.1 was not found)";
  }
  if (driver / 1000 < CUDART_VERSION / 1000) {
    return "the NVIDIA driver supports CUDA " + dotted(driver) + ", and this build needs CUDA " +
           std::to_string(CUDART_VERSION / 1000) + ".0 or newer";
  }
  int count = 0;
  const cudaError_t error = cudaGetDeviceCount(&count);
  if (error != cudaSuccess) {
    cudaGetLastError();
    return std::string("the CUDA runtime reports: ") + cudaGetErrorString(error);
  }
  return count > 0 ? "" : "the driver is there, but no CUDA device is visible (see CUDA_VISIBLE_DEVICES)";
}

std::vector<CudaDevice> cuda_devices() {
  int count = 0;
  if (cudaGetDeviceCount(&count) != cudaSuccess) count = 0;
  std::vector<CudaDevice> devices;
  int current = 0;
  cudaGetDevice(&current);
  for (int index = 0; index < count; ++index) {
    cudaDeviceProp properties{};
    if (cudaGetDeviceProperties(&properties, index) != cudaSuccess) continue;
    std::size_t free_bytes = 0, total_bytes = 0;
    cudaSetDevice(index);
    cudaMemGetInfo(&free_bytes, &total_bytes);
    devices.push_back({index, properties.name, properties.major, properties.minor,
                       static_cast<std::int64_t>(total_bytes), static_cast<std::int64_t>(free_bytes)});
  }
  cudaSetDevice(current);
  cudaGetLastError();
  return devices;
}

void release_cached_memory() {
  int count = 0;
  if (cudaGetDeviceCount(&count) == cudaSuccess && count > 0) c10::cuda::CUDACachingAllocator::emptyCache();
  cudaGetLastError();
}

}  // namespace stainfold
