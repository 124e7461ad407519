// Named tensors as JavaScript passes them: a list of specifications and one block of bytes in that order,
// without padding.
#pragma once

#include <napi.h>

#include <cstdint>
#include <string>
#include <vector>

#include "stainfold/models.h"

namespace stainfold::addon {

struct TensorSpec {
  std::string name;
  at::ScalarType dtype;  // kDouble, kFloat or kLong
  std::vector<std::int64_t> shape;
};

// The memory of a Uint8Array, which must be held as long as it is used.
struct Bytes {
  std::uint8_t* data;
  std::int64_t size;
  Napi::Value array;
};

Bytes borrow_bytes(const Napi::Value& value, const char* name);

std::vector<TensorSpec> specs_from_js(const Napi::Value& value);
Napi::Value specs_to_js(Napi::Env env, const std::vector<TensorSpec>& specs);

std::vector<TensorSpec> specs_of(const std::vector<NamedTensor>& tensors);
std::int64_t bytes_of(const std::vector<NamedTensor>& tensors);

// Throws ErrorCode::shape unless `into` is exactly as large as the tensors.
void copy_out(const std::vector<NamedTensor>& tensors, std::uint8_t* into, std::int64_t size);
// Copies, since `from` need not be aligned. Throws ErrorCode::shape unless `from` is exactly as large as
// specs say.
std::vector<NamedTensor> copy_in(const std::vector<TensorSpec>& specs, const std::uint8_t* from,
                                 std::int64_t size);

}  // namespace stainfold::addon
