#include "models/precision.h"

#include <ATen/Context.h>

#include "core/checks.h"
#include "stainfold/device.h"

namespace stainfold {
namespace {

bool computes_in_bf16(at::Device device) {
  if (!device.is_cuda()) return false;
  for (const CudaDevice& offered : status().devices) {
    if (offered.index == device.index()) return offered.major >= 8;
  }
  return false;
}

}  // namespace

at::ScalarType resolve_precision(const std::string& name, at::Device device) {
  if (name == "fp32") return at::kFloat;
  if (name == "bf16") return at::kBFloat16;
  if (name == "auto") return computes_in_bf16(device) ? at::kBFloat16 : at::kFloat;
  check_option(name == "fp16", "precision must be auto, fp32, bf16 or fp16, got '" + name + "'");
  check_option(device.is_cuda(), "precision fp16 needs a CUDA device, got " + device.str());
  return at::kHalf;
}

std::string precision_name(at::ScalarType type) {
  return type == at::kBFloat16 ? "bf16" : type == at::kHalf ? "fp16" : "fp32";
}

void settle_cuda(at::Device device) {
  if (!device.is_cuda()) return;
  at::globalContext().setDeterministicCuDNN(true);
  at::globalContext().setBenchmarkCuDNN(false);
  at::globalContext().setAllowTF32CuDNN(false);
}

}  // namespace stainfold
