// CUDA's errors as ours.
#pragma once

#include <cuda_runtime_api.h>

#include <string>

#include "stainfold/error.h"

namespace stainfold::cuda {

// what: "the compaction loss", in "CUDA could not run the compaction loss: out of memory".
inline void check(cudaError_t error, const char* what) {
  if (error == cudaSuccess) return;
  cudaGetLastError();  // or the next call would report it again
  throw Error(error == cudaErrorMemoryAllocation ? ErrorCode::memory : ErrorCode::internal,
              std::string("CUDA could not run ") + what + ": " + cudaGetErrorString(error));
}

}  // namespace stainfold::cuda
