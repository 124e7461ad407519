// Shared libraries, portably.
#pragma once

#include <string>

namespace stainfold::preload {

// "c10" -> "libc10.so", "libc10.dylib" or "c10.dll".
std::string library_file(const std::string& name);

// Loads for the life of the process, symbols visible to what is loaded later. path: absolute, UTF-8. Returns
// why it failed, empty when it did not.
std::string load_library(const std::string& path);

struct CudaDriver {
  std::string version;  // "13.0"; empty where reason is not
  std::string reason;   // why there is none, or why it does not answer
};

CudaDriver query_cuda_driver();

}  // namespace stainfold::preload
