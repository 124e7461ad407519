#include "models/weights.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/core/grad_mode.h>

#include <cmath>
#include <unordered_map>

#include "core/checks.h"

namespace stainfold {
namespace {

void check_fit(const NamedTensor& target, const at::Tensor& value) {
  if (value.sizes() != target.value.sizes()) {
    throw Error(ErrorCode::weights, "'" + target.name + "' must have shape " +
                                        to_string(target.value.sizes()) + ", got " +
                                        to_string(value.sizes()));
  }
  if (value.scalar_type() != target.value.scalar_type()) {
    throw Error(ErrorCode::weights, "'" + target.name + "' must be " +
                                        c10::toString(target.value.scalar_type()) + ", got " +
                                        c10::toString(value.scalar_type()));
  }
}

template <typename Deviation>
void fill_normal(torch::nn::Module& module, std::uint64_t seed, Deviation deviation) {
  const at::NoGradGuard no_grad;
  const at::Generator generator = at::make_generator<at::CPUGeneratorImpl>(seed);
  for (at::Tensor& weight : module.parameters()) {
    if (weight.dim() > 1) weight.normal_(0.0, deviation(weight), generator);
  }
}

}  // namespace

void initialise(torch::nn::Module& module, std::uint64_t seed) {
  fill_normal(module, seed, [](const at::Tensor& weight) {
    const auto fan_in = static_cast<double>(weight.numel() / weight.size(0));
    return std::sqrt((weight.dim() == 4 ? 2.0 : 1.0) / fan_in);
  });
}

void initialise(torch::nn::Module& module, std::uint64_t seed, double deviation) {
  fill_normal(module, seed, [deviation](const at::Tensor&) { return deviation; });
}

void append_weights(std::vector<NamedTensor>& list, const std::string& prefix,
                    const torch::nn::Module& module) {
  for (const auto& item : module.named_parameters())
    list.push_back({prefix + item.key(), item.value().detach()});
  for (const auto& item : module.named_buffers())
    list.push_back({prefix + item.key(), item.value().detach()});
}

bool has_prefix(const std::vector<NamedTensor>& list, const std::string& prefix) {
  for (const NamedTensor& item : list) {
    if (item.name.rfind(prefix, 0) == 0) return true;
  }
  return false;
}

void copy_weights(const std::vector<NamedTensor>& targets, const std::vector<NamedTensor>& source) {
  std::unordered_map<std::string, const at::Tensor*> by_name;
  for (const NamedTensor& item : source) {
    if (!by_name.emplace(item.name, &item.value).second) {
      throw Error(ErrorCode::weights, "'" + item.name + "' is there twice");
    }
  }
  for (const NamedTensor& target : targets) {
    const auto found = by_name.find(target.name);
    if (found == by_name.end()) throw Error(ErrorCode::weights, "'" + target.name + "' is missing");
    check_fit(target, *found->second);
  }
  const at::NoGradGuard no_grad;
  for (const NamedTensor& target : targets) at::Tensor(target.value).copy_(*by_name.at(target.name));
}

}  // namespace stainfold
