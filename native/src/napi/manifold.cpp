#include "stainfold/manifold.h"

#include <ATen/ops/stack.h>
#include <napi.h>

#include <vector>

#include "napi/call.h"
#include "napi/convert.h"
#include "napi/exports.h"
#include "stain/lab_template.h"

namespace stainfold::addon {
namespace {

struct TilesArgument {
  Borrowed pixels;
  explicit TilesArgument(const Napi::CallbackInfo& info, std::size_t first)
      : pixels([&] {
          const std::int64_t count = to_integer(info[first + 1], "count"),
                             size = to_integer(info[first + 2], "size");
          return borrow(info[first], "pixels", at::kByte, {count, size, size, 3});
        }()) {}
};

Napi::Value render_labs(const Napi::CallbackInfo& info) {
  return guard_async(info.Env(), [&] {
    const Fields fields(info[0], "options");
    const TilesArgument tiles(info, 1);
    return compute(
        info.Env(), {tiles.pixels.array},
        [options = manifold_options(fields), seed = fields.seed("seed"), tiles = tiles.pixels.tensor] {
          const Manifold manifold(options, seed);
          std::vector<at::Tensor> rendered;
          for (std::int64_t lab = 0; lab < options.labs; ++lab) {
            rendered.push_back(manifold.render_lab(tiles, lab));
          }
          return at::stack(rendered);
        },
        to_uint8_array);
  });
}

Napi::Value tile_lab_statistics(const Napi::CallbackInfo& info) {
  return guard_async(info.Env(), [&] {
    const TilesArgument tiles(info, 0);
    return compute(
        info.Env(), {tiles.pixels.array}, [tiles = tiles.pixels.tensor] { return lab_statistics(tiles); },
        to_float64_array);
  });
}

}  // namespace

void export_manifold(Napi::Env env, Napi::Object exports) {
  exports["renderManifold"] = Napi::Function::New(env, render_labs, "renderManifold");
  exports["labStatistics"] = Napi::Function::New(env, tile_lab_statistics, "labStatistics");
}

}  // namespace stainfold::addon
