#include "stainfold/phantom.h"

#include <ATen/ops/stack.h>
#include <napi.h>

#include <vector>

#include "napi/call.h"
#include "napi/convert.h"
#include "napi/exports.h"

namespace stainfold::addon {
namespace {

Napi::Value tissues(const Napi::CallbackInfo& info) {
  return guard(info.Env(), [&]() -> Napi::Value {
    Napi::Array names = Napi::Array::New(info.Env());
    for (const std::string& name : phantom_tissues()) names.Set(names.Length(), name);
    return names;
  });
}

std::vector<std::int64_t> labs_argument(const Napi::Value& value) {
  if (!value.IsArray() || value.As<Napi::Array>().Length() == 0) {
    throw Error(ErrorCode::option, "tile.labs must be an array of at least one lab");
  }
  const auto list = value.As<Napi::Array>();
  std::vector<std::int64_t> labs;
  for (std::uint32_t i = 0; i < list.Length(); ++i) labs.push_back(to_integer(list.Get(i), "tile.labs"));
  return labs;
}

Napi::Value render(const Napi::CallbackInfo& info) {
  return guard_async(info.Env(), [&] {
    const Fields tile(info[0], "tile");
    return compute(
        info.Env(), {},
        [tissue = tile.integer("tissue"), size = tile.integer("size"), mpp = tile.number("mpp"),
         seed = tile.seed("seed"), labs = labs_argument(tile.value("labs"))] {
          const at::Tensor concentrations = phantom_concentrations(tissue, size, mpp, seed);
          std::vector<at::Tensor> rendered;
          for (const std::int64_t lab : labs) {
            // Each scan has noise of its own: the lab fills the bits that no seed of JavaScript (53 bits)
            // reaches.
            const std::uint64_t noise = seed ^ static_cast<std::uint64_t>(lab) << 56;
            rendered.push_back(phantom_render(concentrations, phantom_lab(lab), noise));
          }
          return at::stack(rendered);
        },
        to_uint8_array);
  });
}

}  // namespace

void export_phantom(Napi::Env env, Napi::Object exports) {
  Napi::Object phantom = Napi::Object::New(env);
  phantom["tissues"] = Napi::Function::New(env, tissues, "tissues");
  phantom["render"] = Napi::Function::New(env, render, "render");
  exports["phantom"] = phantom;
}

}  // namespace stainfold::addon
