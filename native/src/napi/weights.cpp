#include "napi/weights.h"

#include <ATen/ops/empty.h>

#include <cstring>
#include <utility>

#include "napi/convert.h"

namespace stainfold::addon {
namespace {

struct Dtype {
  at::ScalarType type;
  const char* name;
};

constexpr Dtype dtypes[] = {{at::kDouble, "F64"}, {at::kFloat, "F32"}, {at::kLong, "I64"}};

at::ScalarType dtype_from_js(const std::string& name, const std::string& tensor) {
  for (const Dtype& dtype : dtypes) {
    if (name == dtype.name) return dtype.type;
  }
  throw Error(ErrorCode::weights, "tensor '" + tensor + "' must be F64, F32 or I64, got '" + name + "'");
}

const char* dtype_to_js(at::ScalarType type) {
  for (const Dtype& dtype : dtypes) {
    if (type == dtype.type) return dtype.name;
  }
  throw Error(ErrorCode::internal, std::string("the state holds a tensor of type ") + c10::toString(type));
}

// Bytes of the tensor, or -1 where they exceed `limit`, without overflow on the way.
std::int64_t bytes_within(const TensorSpec& spec, std::int64_t limit) {
  std::int64_t bytes = static_cast<std::int64_t>(c10::elementSize(spec.dtype));
  for (const std::int64_t extent : spec.shape) {
    if (extent == 0) return 0;
    if (bytes > limit / extent) return -1;
    bytes *= extent;
  }
  return bytes <= limit ? bytes : -1;
}

}  // namespace

Bytes borrow_bytes(const Napi::Value& value, const char* name) {
  const auto [data, size] = memory_of(value, name, at::kByte);
  return {static_cast<std::uint8_t*>(data), size, value};
}

std::vector<TensorSpec> specs_from_js(const Napi::Value& value) {
  if (!value.IsArray()) throw Error(ErrorCode::option, "specs must be an array");
  const auto list = value.As<Napi::Array>();
  std::vector<TensorSpec> specs;
  specs.reserve(list.Length());
  for (std::uint32_t i = 0; i < list.Length(); ++i) {
    const std::string path = "specs[" + std::to_string(i) + "]";
    const Fields fields(list.Get(i), path);
    TensorSpec spec;
    spec.name = fields.text("name");
    spec.dtype = dtype_from_js(fields.text("dtype"), spec.name);
    const Napi::Value shape = fields.value("shape");
    if (!shape.IsArray()) throw Error(ErrorCode::option, path + ".shape must be an array");
    const auto extents = shape.As<Napi::Array>();
    for (std::uint32_t k = 0; k < extents.Length(); ++k) {
      spec.shape.push_back(to_integer(extents.Get(k), path + ".shape", 0));
    }
    specs.push_back(std::move(spec));
  }
  return specs;
}

Napi::Value specs_to_js(Napi::Env env, const std::vector<TensorSpec>& specs) {
  Napi::Array list = Napi::Array::New(env, specs.size());
  for (std::size_t i = 0; i < specs.size(); ++i) {
    Napi::Object spec = Napi::Object::New(env);
    spec["name"] = specs[i].name;
    spec["dtype"] = dtype_to_js(specs[i].dtype);
    Napi::Array shape = Napi::Array::New(env, specs[i].shape.size());
    for (std::size_t k = 0; k < specs[i].shape.size(); ++k) {
      shape.Set(static_cast<std::uint32_t>(k), static_cast<double>(specs[i].shape[k]));
    }
    spec["shape"] = shape;
    list.Set(static_cast<std::uint32_t>(i), spec);
  }
  return list;
}

std::vector<TensorSpec> specs_of(const std::vector<NamedTensor>& tensors) {
  std::vector<TensorSpec> specs;
  specs.reserve(tensors.size());
  for (const NamedTensor& tensor : tensors) {
    dtype_to_js(tensor.value.scalar_type());  // refuses what cannot be written, here rather than at export
    specs.push_back({tensor.name, tensor.value.scalar_type(), tensor.value.sizes().vec()});
  }
  return specs;
}

std::int64_t bytes_of(const std::vector<NamedTensor>& tensors) {
  std::int64_t bytes = 0;
  for (const NamedTensor& tensor : tensors) bytes += static_cast<std::int64_t>(tensor.value.nbytes());
  return bytes;
}

void copy_out(const std::vector<NamedTensor>& tensors, std::uint8_t* into, std::int64_t size) {
  if (const std::int64_t needed = bytes_of(tensors); needed != size) {
    throw Error(ErrorCode::shape, "the state takes " + std::to_string(needed) + " bytes, got an array of " +
                                      std::to_string(size));
  }
  for (const NamedTensor& tensor : tensors) {
    const at::Tensor value = tensor.value.detach().to(at::kCPU).contiguous();
    if (value.nbytes() > 0) std::memcpy(into, value.const_data_ptr(), value.nbytes());
    into += value.nbytes();
  }
}

std::vector<NamedTensor> copy_in(const std::vector<TensorSpec>& specs, const std::uint8_t* from,
                                 std::int64_t size) {
  std::vector<NamedTensor> tensors;
  tensors.reserve(specs.size());
  std::int64_t rest = size;
  for (const TensorSpec& spec : specs) {
    const std::int64_t bytes = bytes_within(spec, rest);
    if (bytes < 0) {
      throw Error(ErrorCode::shape,
                  "the data end within tensor '" + spec.name + "', got " + std::to_string(size) + " bytes");
    }
    at::Tensor value = at::empty(spec.shape, at::TensorOptions(spec.dtype));
    if (bytes > 0) std::memcpy(value.mutable_data_ptr(), from, static_cast<std::size_t>(bytes));
    from += bytes;
    rest -= bytes;
    tensors.push_back({spec.name, std::move(value)});
  }
  if (rest != 0) {
    throw Error(ErrorCode::shape, "the specifications describe " + std::to_string(size - rest) +
                                      " bytes, got " + std::to_string(size));
  }
  return tensors;
}

}  // namespace stainfold::addon
