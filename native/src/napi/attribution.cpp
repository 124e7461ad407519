#include "stainfold/attribution.h"

#include <napi.h>

#include "napi/call.h"
#include "napi/convert.h"
#include "napi/exports.h"

namespace stainfold::addon {
namespace {

// overlay(pixels, count, size, map, diverging, smooth) -> pixels
Napi::Value draw_overlay(const Napi::CallbackInfo& info) {
  return guard_async(info.Env(), [&] {
    const std::int64_t count = to_integer(info[1], "count"), size = to_integer(info[2], "size");
    const Borrowed pixels = borrow(info[0], "pixels", at::kByte, {count, size, size, 3});
    const Borrowed map = borrow(info[3], "map", at::kFloat, {count, size, size});
    const bool diverging = info[4].ToBoolean().Value();
    const std::int64_t smooth = to_integer(info[5], "smooth", 1);
    return compute(
        info.Env(), {pixels.array, map.array},
        [tiles = pixels.tensor, map = map.tensor, diverging, smooth] {
          return attribution_overlay(tiles, map, diverging, smooth);
        },
        to_uint8_array);
  });
}

}  // namespace

void export_attribution(Napi::Env env, Napi::Object exports) {
  exports["attributionOverlay"] = Napi::Function::New(env, draw_overlay, "attributionOverlay");
}

}  // namespace stainfold::addon
