// Shape and dtype checks that throw stainfold::Error with the value got. Every public function starts with
// them.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <initializer_list>
#include <string>

#include "stainfold/error.h"

namespace stainfold {

// Throws ErrorCode::option with `what` when the condition does not hold.
inline void check_option(bool condition, const std::string& what) {
  if (!condition) throw Error(ErrorCode::option, what);
}

// shape: -1 matches any extent. "tiles must be [-1,H,W,3]" reads as: expected [*,128,128,3], got [8,64,64,3].
void check_shape(const at::Tensor& tensor, const char* name, std::initializer_list<std::int64_t> shape);
void check_dtype(const at::Tensor& tensor, const char* name, std::initializer_list<at::ScalarType> allowed);

// [B,H,W,3] uint8, B >= 1, sides >= 1.
void check_tiles(const at::Tensor& tiles);

std::string to_string(at::IntArrayRef shape);

}  // namespace stainfold
