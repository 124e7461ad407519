#include "core/cuda_info.h"
#include "stainfold/device.h"

namespace stainfold {

std::string cuda_runtime_version() { return ""; }
std::string cuda_driver_reason() { return "this build of stainfold holds no CUDA kernels (variant cpu)"; }
std::vector<CudaDevice> cuda_devices() { return {}; }

void release_cached_memory() {}

}  // namespace stainfold
