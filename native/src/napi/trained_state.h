// The state of whatever is trained, as JavaScript reads and writes it: a layout, and one block of bytes. T
// has state() and load_state().
#pragma once

#include <napi.h>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "napi/resident.h"
#include "napi/weights.h"

namespace stainfold::addon {

// () -> Promise<{ device, precision }>. Fills `layout`, which must live as long as `trained`.
template <typename T, typename Options>
Napi::Value open_trained(const Napi::CallbackInfo& info, Resident<T>& trained, const Options& options,
                         std::vector<TensorSpec>& layout) {
  struct Opened {
    std::string device, precision;
    std::vector<TensorSpec> layout;
    std::int64_t bytes;
  };
  return trained.method(info.Env(), [&] {
    return trained.open(
        info, {}, [options] { return std::make_unique<T>(options); },
        [](T& object) {
          const std::vector<NamedTensor> state = object.state();
          return Opened{object.device(), object.precision(), specs_of(state), bytes_of(state)};
        },
        [&trained, &layout](Napi::Env env, Opened opened) -> Napi::Value {
          layout = std::move(opened.layout);
          trained.report_memory(env, opened.bytes);
          Napi::Object result = Napi::Object::New(env);
          result["device"] = opened.device;
          result["precision"] = opened.precision;
          return result;
        });
  });
}

// layout: empty until open() is settled.
template <typename T>
Napi::Value layout_of(const Napi::CallbackInfo& info, const Resident<T>& trained, const char* kind,
                      const std::vector<TensorSpec>& layout) {
  return guard(info.Env(), [&] {
    trained.require_live();
    if (layout.empty()) throw Error(ErrorCode::state, std::string("this ") + kind + " is not open");
    return specs_to_js(info.Env(), layout);
  });
}

// (into: Uint8Array) -> Promise<void>
template <typename T>
Napi::Value export_state(const Napi::CallbackInfo& info, Resident<T>& trained) {
  return trained.method(info.Env(), [&] {
    const Bytes into = borrow_bytes(info[0], "into");
    return trained.call(
        info, {into.array},
        [data = into.data, size = into.size](T& object) { copy_out(object.state(), data, size); },
        [](Napi::Env env) { return env.Undefined(); });
  });
}

// (specs, data: Uint8Array) -> Promise<void>
template <typename T>
Napi::Value import_state(const Napi::CallbackInfo& info, Resident<T>& trained) {
  return trained.method(info.Env(), [&] {
    std::vector<TensorSpec> specs = specs_from_js(info[0]);
    const Bytes from = borrow_bytes(info[1], "data");
    return trained.call(
        info, {from.array},
        [specs = std::move(specs), data = from.data, size = from.size](T& object) {
          object.load_state(copy_in(specs, data, size));
        },
        [](Napi::Env env) { return env.Undefined(); });
  });
}

}  // namespace stainfold::addon
