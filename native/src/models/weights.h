// Filling modules with weights, and naming the weights they hold.
#pragma once

#include <torch/nn/module.h>

#include <cstdint>
#include <string>
#include <vector>

#include "stainfold/models.h"

namespace stainfold {

// He-normal convolutions, linear maps of unit gain; vectors keep their constructed values. A function of the
// seed and the shapes alone: the process-wide generator is neither read nor advanced. For modules on the CPU.
void initialise(torch::nn::Module& module, std::uint64_t seed);

// The same, with this standard deviation for every kernel and matrix.
void initialise(torch::nn::Module& module, std::uint64_t seed, double deviation);

// Parameters, then buffers, in registration order, as views of the module's own memory.
void append_weights(std::vector<NamedTensor>& list, const std::string& prefix,
                    const torch::nn::Module& module);

// True where some name starts with the prefix.
bool has_prefix(const std::vector<NamedTensor>& list, const std::string& prefix);

// Copies values by name; source names without one of the targets' prefixes are the caller's affair.
// Throws ErrorCode::weights for missing names and other shapes or types, before anything is written.
void copy_weights(const std::vector<NamedTensor>& targets, const std::vector<NamedTensor>& source);

}  // namespace stainfold
