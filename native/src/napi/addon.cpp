// stainfold.node. Its whole contract is ts/internal/native.ts.
#include <napi.h>

#include "napi/call.h"
#include "napi/environment.h"
#include "napi/exports.h"

namespace stainfold::addon {
namespace {

// initialize({ createError: (code: string, detail: string) => Error })
void initialize(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const Napi::Value factory =
      info[0].IsObject() ? info[0].As<Napi::Object>().Get("createError") : env.Undefined();
  if (!factory.IsFunction()) throw Napi::TypeError::New(env, "initialize({ createError }) takes a function");
  Environment::of(env).set_error_factory(factory.As<Napi::Function>());
}

}  // namespace
}  // namespace stainfold::addon

static Napi::Object init_module(Napi::Env env, Napi::Object exports) {
  using namespace stainfold::addon;
  Environment::attach(env);
  exports["initialize"] = Napi::Function::New(env, initialize, "initialize");
  export_status(env, exports);
  export_trainer(env, exports);
  export_embedder(env, exports);
  export_translator(env, exports);
  export_metrics(env, exports);
  export_losses(env, exports);
  export_phantom(env, exports);
  export_stain(env, exports);
  export_manifold(env, exports);
  export_outliers(env, exports);
  export_attribution(env, exports);
  export_audit(env, exports);
  export_decode(env, exports);
  export_slide(env, exports);
  return exports;
}

NODE_API_MODULE(stainfold, init_module)
