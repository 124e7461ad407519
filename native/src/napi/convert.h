// JavaScript values to the core's structures and back. What does not fit throws stainfold::Error naming the
// field and the value got.
#pragma once

#include <ATen/core/Tensor.h>
#include <napi.h>

#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "stainfold/embedder.h"
#include "stainfold/error.h"
#include "stainfold/manifold.h"
#include "stainfold/models.h"
#include "stainfold/trainer.h"

namespace stainfold::addon {

// An options object whose fields are checked as they are read.
class Fields {
 public:
  // path: what the object is called in messages, "options.model".
  Fields(const Napi::Value& value, std::string path);

  double number(const char* name) const;         // finite
  std::int64_t integer(const char* name) const;  // exact
  std::uint64_t seed(const char* name) const;    // exact, >= 0
  bool flag(const char* name) const;
  std::string text(const char* name) const;
  Fields fields(const char* name) const;
  Napi::Value value(const char* name) const;
  std::vector<Fields> list(const char* name) const;  // an array of objects

 private:
  std::string path_of(const char* name) const { return path_ + "." + name; }

  Napi::Object object_;
  std::string path_;
};

ModelConfig model_config(const Fields& fields);
ManifoldOptions manifold_options(const Fields& fields);
// path: what the list is called in messages.
std::vector<Transform> transforms_from_js(const Napi::Value& value, const std::string& path);
TrainOptions train_options(const Fields& fields);
EmbedderOptions embedder_options(const Fields& fields);

double to_number(const Napi::Value& value, const std::string& name);  // finite
// A whole number that is at least `least`; name is for messages.
std::int64_t to_integer(const Napi::Value& value, const std::string& name, std::int64_t least = INT64_MIN);

// A tensor over the memory of a typed array, and that array: it must be held as long as the tensor is used.
struct Borrowed {
  at::Tensor tensor;
  Napi::Value array;
};

// The typed array's memory, [elements] of its own type: kByte, kInt, kFloat or kDouble. Throws
// ErrorCode::dtype, also for resizable memory: that can shrink under whoever reads it.
std::pair<void*, std::int64_t> memory_of(const Napi::Value& value, const char* name, at::ScalarType dtype);

// dtype: as above. Throws ErrorCode::dtype or ErrorCode::shape.
Borrowed borrow(const Napi::Value& value, const char* name, at::ScalarType dtype, at::IntArrayRef shape);
// One dimension, as long as the array is.
Borrowed borrow(const Napi::Value& value, const char* name, at::ScalarType dtype);
// null and undefined are none.
std::optional<Borrowed> borrow_optional(const Napi::Value& value, const char* name, at::ScalarType dtype,
                                        at::IntArrayRef shape);
// A NativeMatrix: { data: Float32Array | Float64Array, rows, columns }.
Borrowed borrow_matrix(const Napi::Value& value, const char* name);

// A typed array of Node's own memory with the tensor's elements, row-major. T: the tensor's element type on
// the JavaScript side; an int64 tensor becomes an Int32Array.
Napi::Value to_float32_array(Napi::Env env, const at::Tensor& tensor);
Napi::Value to_float64_array(Napi::Env env, const at::Tensor& tensor);
Napi::Value to_int32_array(Napi::Env env, const at::Tensor& tensor);
Napi::Value to_uint8_array(Napi::Env env, const at::Tensor& tensor);

}  // namespace stainfold::addon
