// What the CUDA runtime says of the machine. Without CUDA in the build, the answers of a machine that has
// none.
#pragma once

#include <string>
#include <vector>

#include "stainfold/device.h"

namespace stainfold {

std::string cuda_runtime_version();  // "13.0", empty without CUDA in the build
std::string cuda_driver_reason();    // why no device can be used, as a sentence; empty when one can
std::vector<CudaDevice> cuda_devices();

}  // namespace stainfold
