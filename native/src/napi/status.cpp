#include <napi.h>

#include "napi/call.h"
#include "napi/convert.h"
#include "napi/exports.h"
#include "stainfold/device.h"
#include "stainfold/models.h"

namespace stainfold::addon {
namespace {

Napi::Value device_to_js(Napi::Env env, const CudaDevice& device) {
  Napi::Object result = Napi::Object::New(env);
  result["index"] = device.index;
  result["name"] = device.name;
  result["capability"] = std::to_string(device.major) + "." + std::to_string(device.minor);
  result["totalBytes"] = static_cast<double>(device.total_bytes);
  result["freeBytes"] = static_cast<double>(device.free_bytes);
  return result;
}

Napi::Value get_status(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return guard(env, [&]() -> Napi::Value {
    const Status got = status();
    Napi::Object result = Napi::Object::New(env);
    result["version"] = got.version;
    result["libtorch"] = got.libtorch;
    result["cudaCompiled"] = got.cuda_compiled;
    result["cudaVersion"] = got.cuda_version;
    result["cudaUnavailable"] = got.cuda_unavailable;
    Napi::Array devices = Napi::Array::New(env);
    for (const CudaDevice& device : got.devices) devices.Set(devices.Length(), device_to_js(env, device));
    result["devices"] = devices;
    result["threads"] = got.threads;
    result["cpuCapability"] = got.cpu_capability;
    return result;
  });
}

void set_thread_count(const Napi::CallbackInfo& info) {
  guard(info.Env(), [&] {
    const std::int64_t threads = to_integer(info[0], "threads", 0);
    if (threads > 4096) {
      throw Error(ErrorCode::option, "threads must be at most 4096, got " + std::to_string(threads));
    }
    set_threads(static_cast<int>(threads));
  });
}

Napi::Value list_architectures(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return guard(env, [&]() -> Napi::Value {
    Napi::Array list = Napi::Array::New(env);
    for (const Architecture& architecture : architectures()) {
      Napi::Object row = Napi::Object::New(env);
      row["name"] = architecture.name;
      row["latent"] = static_cast<double>(architecture.latent);
      list.Set(list.Length(), row);
    }
    return list;
  });
}

}  // namespace

void export_status(Napi::Env env, Napi::Object exports) {
  exports["status"] = Napi::Function::New(env, get_status, "status");
  exports["setThreads"] = Napi::Function::New(env, set_thread_count, "setThreads");
  exports["architectures"] = Napi::Function::New(env, list_architectures, "architectures");
}

}  // namespace stainfold::addon
