#include "stainfold/audit.h"

#include <napi.h>

#include "napi/call.h"
#include "napi/convert.h"
#include "napi/exports.h"

namespace stainfold::addon {
namespace {

// auditTiles(pixels, count, size) -> [count,19]
Napi::Value audit_pixels(const Napi::CallbackInfo& info) {
  return guard_async(info.Env(), [&] {
    const std::int64_t count = to_integer(info[1], "count"), size = to_integer(info[2], "size");
    const Borrowed pixels = borrow(info[0], "pixels", at::kByte, {count, size, size, 3});
    return compute(
        info.Env(), {pixels.array}, [tiles = pixels.tensor] { return audit_tiles(tiles); }, to_float32_array);
  });
}

}  // namespace

void export_audit(Napi::Env env, Napi::Object exports) {
  exports["auditTiles"] = Napi::Function::New(env, audit_pixels, "auditTiles");
}

}  // namespace stainfold::addon
