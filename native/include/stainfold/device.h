// Device choice and what this build and machine offer.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace c10 {
struct Device;
}

namespace stainfold {

struct CudaDevice {
  int index;
  std::string name;
  int major, minor;  // compute capability
  std::int64_t total_bytes, free_bytes;
};

struct Status {
  std::string version;           // of stainfold
  std::string libtorch;          // version it runs with, "2.13.0"
  bool cuda_compiled;            // this build holds CUDA kernels
  std::string cuda_version;      // CUDA version of the build, empty without
  std::string cuda_unavailable;  // why CUDA cannot be used; empty when it can
  std::vector<CudaDevice> devices;
  int threads;                 // intra-op threads
  std::string cpu_capability;  // "AVX2", "AVX512", "NEON", ...
};

Status status();

// name: "auto" (the first CUDA device, else the CPU), "cpu", "cuda", "cuda:N".
// Throws ErrorCode::device with the reason when CUDA is asked for and cannot be had: never a silent CPU.
c10::Device resolve_device(const std::string& name);

// Intra-op threads of LibTorch, process-wide; 0 leaves its choice.
void set_threads(int threads);

// Gives the device memory that LibTorch's allocator caches back to the driver. Does nothing on the CPU.
void release_cached_memory();

}  // namespace stainfold
