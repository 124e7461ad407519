#include "napi/convert.h"

#include <ATen/ops/from_blob.h>

#include <cmath>
#include <cstdlib>
#include <string_view>
#include <utility>

#include "core/checks.h"

namespace stainfold::addon {
namespace {

constexpr double largest_exact = 9007199254740991.0;  // Number.MAX_SAFE_INTEGER

std::string show(const Napi::Value& value) {
  if (value.IsString()) return "'" + value.As<Napi::String>().Utf8Value() + "'";
  if (value.IsNumber() || value.IsBoolean() || value.IsNull() || value.IsUndefined()) {
    return value.ToString().Utf8Value();
  }
  return value.IsFunction() ? "a function" : "an object";
}

[[noreturn]] void refuse(const std::string& name, const char* expected, const Napi::Value& got) {
  throw Error(ErrorCode::option, name + " must be " + expected + ", got " + show(got));
}

struct ArrayKind {
  at::ScalarType dtype;
  napi_typedarray_type type;
  const char* name;
};

constexpr ArrayKind array_kinds[] = {{at::kByte, napi_uint8_array, "Uint8Array"},
                                     {at::kInt, napi_int32_array, "Int32Array"},
                                     {at::kFloat, napi_float32_array, "Float32Array"},
                                     {at::kDouble, napi_float64_array, "Float64Array"}};

const char* array_name(const Napi::Value& value) {
  if (!value.IsTypedArray()) return "no typed array at all";
  const napi_typedarray_type type = value.As<Napi::TypedArray>().TypedArrayType();
  for (const ArrayKind& kind : array_kinds) {
    if (kind.type == type) return kind.name;
  }
  return "a typed array of another kind";
}

// A typed array's memory and number of elements. Raw, because Napi::TypedArray offers the data by way of its
// ArrayBuffer only, which a shared one is not.
std::pair<void*, std::int64_t> fixed_memory(const Napi::Value& value, const char* name) {
  void* data = nullptr;
  std::size_t length = 0;
  napi_value buffer = nullptr;
  napi_get_typedarray_info(value.Env(), value, nullptr, &length, &data, &buffer, nullptr);
  const Napi::Value memory(value.Env(), buffer);
  // A shared one grows at most.
  if (memory.IsArrayBuffer() && memory.As<Napi::Object>().Get("resizable").ToBoolean()) {
    throw Error(ErrorCode::dtype, std::string(name) + " must not lie in a resizable ArrayBuffer");
  }
  return {data, static_cast<std::int64_t>(length)};
}

// The product of the shape is `elements`, without computing a product that could overflow.
bool holds(std::int64_t elements, at::IntArrayRef shape) {
  for (const std::int64_t extent : shape) {
    if (extent <= 0) return false;
    if (elements % extent != 0) return false;
    elements /= extent;
  }
  return elements == 1;
}

template <typename T>
Napi::Value to_typed_array(Napi::Env env, const at::Tensor& tensor, at::ScalarType dtype) {
  const at::Tensor values = tensor.to(at::kCPU, dtype).contiguous();
  auto array = Napi::TypedArrayOf<T>::New(env, static_cast<std::size_t>(values.numel()));
  if (values.numel() > 0) std::memcpy(array.Data(), values.const_data_ptr(), values.nbytes());
  return array;
}

}  // namespace

Fields::Fields(const Napi::Value& value, std::string path) : path_(std::move(path)) {
  if (!value.IsObject()) refuse(path_, "an object", value);
  object_ = value.As<Napi::Object>();
}

Napi::Value Fields::value(const char* name) const { return object_.Get(name); }

double Fields::number(const char* name) const { return to_number(value(name), path_of(name)); }

std::int64_t Fields::integer(const char* name) const { return to_integer(value(name), path_of(name)); }

std::uint64_t Fields::seed(const char* name) const {
  return static_cast<std::uint64_t>(to_integer(value(name), path_of(name), 0));
}

bool Fields::flag(const char* name) const {
  const Napi::Value got = value(name);
  if (!got.IsBoolean()) refuse(path_of(name), "true or false", got);
  return got.As<Napi::Boolean>();
}

std::string Fields::text(const char* name) const {
  const Napi::Value got = value(name);
  if (!got.IsString()) refuse(path_of(name), "a string", got);
  return got.As<Napi::String>();
}

Fields Fields::fields(const char* name) const { return Fields(value(name), path_of(name)); }

std::vector<Fields> Fields::list(const char* name) const {
  const Napi::Value got = value(name);
  if (!got.IsArray()) refuse(path_of(name), "an array", got);
  const auto array = got.As<Napi::Array>();
  std::vector<Fields> list;
  for (std::uint32_t i = 0; i < array.Length(); ++i) {
    list.emplace_back(array.Get(i), path_of(name) + "[" + std::to_string(i) + "]");
  }
  return list;
}

double to_number(const Napi::Value& value, const std::string& name) {
  if (!value.IsNumber()) refuse(name, "a finite number", value);
  const double number = value.As<Napi::Number>().DoubleValue();
  if (!std::isfinite(number)) refuse(name, "a finite number", value);
  return number;
}

std::int64_t to_integer(const Napi::Value& value, const std::string& name, std::int64_t least) {
  const double number = to_number(value, name);
  if (number != std::floor(number) || std::abs(number) > largest_exact) refuse(name, "a whole number", value);
  const auto integer = static_cast<std::int64_t>(number);
  if (integer < least) {
    throw Error(ErrorCode::option,
                name + " must be at least " + std::to_string(least) + ", got " + std::to_string(integer));
  }
  return integer;
}

ModelConfig model_config(const Fields& fields) {
  ModelConfig config;
  config.size = fields.text("size");
  config.latent = fields.integer("latent");
  config.tile_size = fields.integer("tileSize");
  return config;
}

ManifoldOptions manifold_options(const Fields& fields) {
  ManifoldOptions options;
  options.labs = fields.integer("labs");
  options.jitter = fields.number("jitter");
  options.geometry = fields.flag("geometry");
  options.fresh = fields.flag("fresh");
  options.transforms = transforms_from_js(fields.value("transforms"), "manifold.transforms");
  return options;
}

TrainOptions train_options(const Fields& fields) {
  TrainOptions options;
  options.model = model_config(fields.fields("model"));
  options.manifold = manifold_options(fields.fields("manifold"));
  for (const Fields& stain : fields.list("furtherStains")) {
    options.further_stains.push_back(manifold_options(stain));
  }
  const Fields weights = fields.fields("weights");
  options.weights.compaction = weights.number("compaction");
  options.weights.scatter = weights.number("scatter");
  options.weights.reconstruction = weights.number("reconstruction");
  options.weights.adversarial = weights.number("adversarial");
  const std::string compaction = fields.text("compaction");
  if (compaction == "contrastive") {
    options.compaction = CompactionKind::contrastive;
  } else if (compaction == "cross-correlation") {
    options.compaction = CompactionKind::cross_correlation;
  } else {
    refuse("options.compaction", "'contrastive' or 'cross-correlation'", fields.value("compaction"));
  }
  options.temperature = fields.number("temperature");
  options.lambda = fields.number("lambda");
  options.views = fields.integer("views");
  options.view_turn = fields.flag("viewTurn");
  options.view_crop = fields.number("viewCrop");
  options.real_labs = fields.integer("realLabs");
  options.total_steps = fields.integer("totalSteps");
  options.warmup_steps = fields.integer("warmupSteps");
  options.learning_rate = fields.number("learningRate");
  options.weight_decay = fields.number("weightDecay");
  options.clip_norm = fields.number("clipNorm");
  options.seed = fields.seed("seed");
  options.device = fields.text("device");
  options.precision = fields.text("precision");
  // For whoever suspects the recording: it changes no result.
  const char* const graph = std::getenv("STAINFOLD_TRAIN_GRAPH");
  options.graph = graph == nullptr || std::string_view(graph) != "0";
  return options;
}

EmbedderOptions embedder_options(const Fields& fields) {
  EmbedderOptions options;
  options.model = model_config(fields.fields("model"));
  options.device = fields.text("device");
  options.precision = fields.text("precision");
  return options;
}

std::pair<void*, std::int64_t> memory_of(const Napi::Value& value, const char* name, at::ScalarType dtype) {
  for (const ArrayKind& kind : array_kinds) {
    if (kind.dtype != dtype) continue;
    if (!value.IsTypedArray() || value.As<Napi::TypedArray>().TypedArrayType() != kind.type) {
      throw Error(ErrorCode::dtype,
                  std::string(name) + " must be of type " + kind.name + ", got " + array_name(value));
    }
    return fixed_memory(value, name);
  }
  throw Error(ErrorCode::internal, std::string(name) + ": no typed array holds " + c10::toString(dtype));
}

Borrowed borrow(const Napi::Value& value, const char* name, at::ScalarType dtype, at::IntArrayRef shape) {
  const auto [data, length] = memory_of(value, name, dtype);
  if (!holds(length, shape)) {
    throw Error(ErrorCode::shape, std::string(name) + " must have the elements of " + to_string(shape) +
                                      ", got " + std::to_string(length));
  }
  return {at::from_blob(data, shape, at::TensorOptions(dtype)), value};
}

Borrowed borrow(const Napi::Value& value, const char* name, at::ScalarType dtype) {
  const auto [data, length] = memory_of(value, name, dtype);
  if (length == 0) throw Error(ErrorCode::shape, std::string(name) + " must not be empty");
  return {at::from_blob(data, {length}, at::TensorOptions(dtype)), value};
}

std::optional<Borrowed> borrow_optional(const Napi::Value& value, const char* name, at::ScalarType dtype,
                                        at::IntArrayRef shape) {
  if (value.IsNull() || value.IsUndefined()) return std::nullopt;
  return borrow(value, name, dtype, shape);
}

Borrowed borrow_matrix(const Napi::Value& value, const char* name) {
  const Fields matrix(value, name);
  const std::int64_t rows = matrix.integer("rows"), columns = matrix.integer("columns");
  const Napi::Value data = matrix.value("data");
  const bool single =
      data.IsTypedArray() && data.As<Napi::TypedArray>().TypedArrayType() == napi_float32_array;
  return borrow(data, name, single ? at::kFloat : at::kDouble, {rows, columns});
}

Napi::Value to_float32_array(Napi::Env env, const at::Tensor& tensor) {
  return to_typed_array<float>(env, tensor, at::kFloat);
}

Napi::Value to_float64_array(Napi::Env env, const at::Tensor& tensor) {
  return to_typed_array<double>(env, tensor, at::kDouble);
}

Napi::Value to_int32_array(Napi::Env env, const at::Tensor& tensor) {
  return to_typed_array<std::int32_t>(env, tensor, at::kInt);
}

Napi::Value to_uint8_array(Napi::Env env, const at::Tensor& tensor) {
  return to_typed_array<std::uint8_t>(env, tensor, at::kByte);
}

}  // namespace stainfold::addon
