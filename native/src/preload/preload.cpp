// preload.node: loads LibTorch by absolute path before stainfold.node needs it, so that a missing or damaged
// library is a value with its name and reason instead of the dynamic loader's guess. No LibTorch header here.
#include <napi.h>

#include <filesystem>
#include <string>
#include <vector>

#include "preload/library.h"
#include "preload/waiting.h"

namespace stainfold::preload {
namespace {

// Dependencies first: each is then found already loaded by the ones that follow, whatever the search path.
std::vector<std::string> library_names(bool cuda) {
  if (cuda) return {"c10", "c10_cuda", "torch_cpu", "torch_cuda", "torch"};
  return {"c10", "torch_cpu", "torch"};
}

// load(libDir: string, variant: 'cpu' | 'cu130'):
//   { ok: true, libraries: string[] } | { ok: false, library: string, path: string, reason: string }
Napi::Value load(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  if (!info[0].IsString() || !info[1].IsString()) {
    throw Napi::TypeError::New(env, "load(libDir, variant) takes two strings");
  }
  const std::string variant = info[1].As<Napi::String>();
  if (variant != "cpu" && variant != "cu130") {
    throw Napi::TypeError::New(env, "variant must be 'cpu' or 'cu130', got '" + variant + "'");
  }
  const std::string folder = info[0].As<Napi::String>();
  std::error_code
      unused;  // without a working directory the path stays as given, and loading says why it fails
  const std::filesystem::path given(std::u8string(folder.begin(), folder.end()));
  const std::filesystem::path absolute = std::filesystem::absolute(given, unused);
  const std::filesystem::path& directory = absolute.empty() ? given : absolute;

  const ShortWaits waits;
  Napi::Object result = Napi::Object::New(env);
  Napi::Array loaded = Napi::Array::New(env);
  for (const std::string& name : library_names(variant != "cpu")) {
    const std::string file = library_file(name);
    const std::u8string utf8 = (directory / file).u8string();
    const std::string path(utf8.begin(), utf8.end());
    if (const std::string reason = load_library(path); !reason.empty()) {
      result["ok"] = false;
      result["library"] = file;
      result["path"] = path;
      result["reason"] = reason;
      return result;
    }
    loaded.Set(loaded.Length(), path);
  }
  result["ok"] = true;
  result["libraries"] = loaded;
  return result;
}

// cudaDriver(): { found: boolean, version: string | null, reason: string | null }
// version is the newest CUDA that the driver serves, "13.0"; asking for it does not initialise a device.
Napi::Value cuda_driver(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const CudaDriver driver = query_cuda_driver();
  Napi::Object result = Napi::Object::New(env);
  result["found"] = driver.reason.empty();
  result["version"] =
      driver.version.empty() ? env.Null() : Napi::Value(Napi::String::New(env, driver.version));
  result["reason"] = driver.reason.empty() ? env.Null() : Napi::Value(Napi::String::New(env, driver.reason));
  return result;
}

}  // namespace
}  // namespace stainfold::preload

static Napi::Object init_module(Napi::Env env, Napi::Object exports) {
  exports["load"] = Napi::Function::New(env, stainfold::preload::load, "load");
  exports["cudaDriver"] = Napi::Function::New(env, stainfold::preload::cuda_driver, "cudaDriver");
  return exports;
}

NODE_API_MODULE(preload, init_module)
