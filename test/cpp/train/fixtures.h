// What the tests of training share.
#pragma once

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>

#include <vector>

#include "stainfold/trainer.h"

namespace stainfold::testing {

// Smooth random concentrations of haematoxylin and eosin under Beer-Lambert's law: [count,size,size,3] uint8.
inline at::Tensor synthetic_tiles(std::int64_t count, std::int64_t size, std::uint64_t seed) {
  const at::Generator generator = at::make_generator<at::CPUGeneratorImpl>(seed);
  const at::Tensor coarse = at::rand({count, 2, 6, 6}, generator, at::TensorOptions());
  const at::Tensor stains = at::upsample_bilinear2d(coarse, {size, size}, false) * 1.6;
  const at::Tensor vectors = at::tensor({0.65f, 0.07f, 0.70f, 0.99f, 0.29f, 0.11f}).view({3, 2});
  const at::Tensor density = at::einsum("cs,nshw->nhwc", {vectors, stains});
  return (density.neg().exp() * 240.0).clamp(0, 255).to(at::kByte).contiguous();
}

// Small enough for a step in some ten milliseconds.
inline TrainOptions small_options() {
  TrainOptions options;
  options.model = {"tiny", 32, 32};
  options.manifold.labs = 4;
  options.total_steps = 40;
  options.warmup_steps = 4;
  options.device = "cpu";
  return options;
}

inline std::vector<NamedTensor> snapshot(const Trainer& trainer) {
  std::vector<NamedTensor> copy = trainer.state();
  for (NamedTensor& item : copy) item.value = item.value.to(at::kCPU).clone();
  return copy;
}

// The bytes, so that NaN equals NaN and +0 differs from -0.
inline bool same_bits(const at::Tensor& a, const at::Tensor& b) {
  const at::Tensor x = a.cpu().contiguous(), y = b.cpu().contiguous();
  return x.sizes() == y.sizes() && x.scalar_type() == y.scalar_type() &&
         std::memcmp(x.const_data_ptr(), y.const_data_ptr(), x.nbytes()) == 0;
}

inline bool same_bits(const std::vector<NamedTensor>& a, const std::vector<NamedTensor>& b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (a[i].name != b[i].name || !same_bits(a[i].value, b[i].value)) return false;
  }
  return true;
}

}  // namespace stainfold::testing
