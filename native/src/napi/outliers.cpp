#include "stainfold/outliers.h"

#include <ATen/ops/empty.h>
#include <napi.h>

#include "napi/call.h"
#include "napi/convert.h"
#include "napi/exports.h"
#include "napi/weights.h"

namespace stainfold::addon {
namespace {

// fit(features, tile) -> { specs, data }
Napi::Value fit_statistics(const Napi::CallbackInfo& info) {
  return guard_async(info.Env(), [&] {
    const Borrowed features = borrow_matrix(info[0], "features");
    const Borrowed tile = borrow(info[1], "tile", at::kInt, {features.tensor.size(0)});
    struct Fitted {
      std::vector<TensorSpec> specs;
      at::Tensor data;
    };
    return compute(
        info.Env(), {features.array, tile.array},
        [features = features.tensor, tile = tile.tensor] {
          const std::vector<NamedTensor> tensors = to_tensors(fit_outliers(features, tile.to(at::kLong)));
          const at::Tensor data = at::empty({bytes_of(tensors)}, at::kByte);
          copy_out(tensors, data.data_ptr<std::uint8_t>(), data.numel());
          return Fitted{specs_of(tensors), data};
        },
        [](Napi::Env env, const Fitted& fitted) -> Napi::Value {
          Napi::Object result = Napi::Object::New(env);
          result["specs"] = specs_to_js(env, fitted.specs);
          result["data"] = to_uint8_array(env, fitted.data);
          return result;
        });
  });
}

}  // namespace

void export_outliers(Napi::Env env, Napi::Object exports) {
  Napi::Object outliers = Napi::Object::New(env);
  outliers["fit"] = Napi::Function::New(env, fit_statistics, "fit");
  exports["outliers"] = outliers;
}

}  // namespace stainfold::addon
