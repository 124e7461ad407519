// How many numbers a transform draws, within what bounds, and how standard normal deviates become them.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "stainfold/transforms.h"

namespace stainfold {

struct Columns {
  std::int64_t own;     // parameters, each with a deviate of its own
  std::int64_t shared;  // further deviates that several of them have in common
};

Columns columns_of(const Transform& transform);

// Throws ErrorCode::option for what is out of range; `index` is the transform's place in the recipe.
void check(const Transform& transform, std::size_t index);

at::Tensor parameters_of(const Transform& transform,
                         const at::Tensor& own,      // [n,own] standard normal, CPU; may be overwritten
                         const at::Tensor& shared);  // [n,shared] -> [n,own]

}  // namespace stainfold
