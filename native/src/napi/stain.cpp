#include "stainfold/stain.h"

#include <ATen/ops/from_blob.h>
#include <ATen/ops/stack.h>
#include <c10/core/Device.h>
#include <napi.h>

#include "napi/call.h"
#include "napi/convert.h"
#include "napi/exports.h"
#include "stainfold/device.h"

namespace stainfold::addon {
namespace {

StainMethod stain_method(const std::string& name) {
  if (name == "macenko") return StainMethod::macenko;
  if (name == "vahadane") return StainMethod::vahadane;
  if (name == "ruifrok") return StainMethod::ruifrok;
  if (name == "reinhard") return StainMethod::reinhard;
  if (name == "histogram") return StainMethod::histogram;
  throw Error(ErrorCode::option,
              "method must be macenko, vahadane, ruifrok, reinhard or histogram, got '" + name + "'");
}

// A NativeStainOptions and the device that it names.
struct StainRequest {
  explicit StainRequest(const Napi::Value& value) {
    const Fields fields(value, "options");
    options.method = stain_method(fields.text("method"));
    options.stains = fields.text("stains");
    options.sampled_pixels = fields.integer("sampledPixels");
    options.clamp = fields.number("clamp");
    options.tissue_only = fields.flag("tissueOnly");
    device = fields.text("device");
  }
  at::Tensor placed(const at::Tensor& tensor) const { return tensor.to(resolve_device(device)); }

  StainOptions options;
  std::string device;
};

// A NativeTiles: { pixels, count, height, width }.
Borrowed stain_tiles(const Napi::Value& value) {
  const Fields tiles(value, "tiles");
  return borrow(tiles.value("pixels"), "pixels", at::kByte,
                {tiles.integer("count"), tiles.integer("height"), tiles.integer("width"), 3});
}

// A NativeStainFit.
Napi::Value fit_to_js(Napi::Env env, const StainFit& fit) {
  Napi::Object result = Napi::Object::New(env);
  result["values"] = to_float64_array(env, fit.values);
  result["status"] = to_uint8_array(env, fit.status);
  return result;
}

struct BorrowedFit {
  BorrowedFit(const Napi::Value& value, const char* name, std::int64_t width) {
    const Fields fields(value, name);
    status = borrow(fields.value("status"), "status", at::kByte);
    values = borrow(fields.value("values"), "values", at::kDouble, {status.tensor.size(0), width});
  }
  StainFit fit() const { return {values.tensor, status.tensor}; }

  Borrowed status, values;
};

Napi::Value stain_fit(const Napi::CallbackInfo& info) {
  return guard_async(info.Env(), [&] {
    const Borrowed tiles = stain_tiles(info[1]);
    return compute(
        info.Env(), {tiles.array},
        [request = StainRequest(info[0]), pixels = tiles.tensor] {
          return fit_stains(request.placed(pixels), request.options);
        },
        fit_to_js);
  });
}

Napi::Value stain_normalize(const Napi::CallbackInfo& info) {
  return guard_async(info.Env(), [&] {
    const StainRequest request(info[0]);
    const Borrowed tiles = stain_tiles(info[1]);
    const std::int64_t width = fit_width(request.options);
    const BorrowedFit source(info[2], "source", width);
    const Borrowed reference = borrow(info[3], "reference", at::kDouble, {width});
    return compute(
        info.Env(), {tiles.array, source.status.array, source.values.array, reference.array},
        [request, pixels = tiles.tensor, source = source.fit(), reference = reference.tensor] {
          return normalize_stains(request.placed(pixels), source, reference, request.options);
        },
        [](Napi::Env env, const NormalizedTiles& normalized) {
          Napi::Object result = Napi::Object::New(env);
          result["pixels"] = to_uint8_array(env, normalized.pixels);
          result["status"] = to_uint8_array(env, normalized.status);
          return result;
        });
  });
}

Napi::Value stain_median(const Napi::CallbackInfo& info) {
  return guard_async(info.Env(), [&] {
    const StainRequest request(info[0]);
    const BorrowedFit fits(info[1], "fits", fit_width(request.options));
    return compute(
        info.Env(), {fits.status.array, fits.values.array},
        [options = request.options, fits = fits.fit()] { return median_fit(fits, options); }, fit_to_js);
  });
}

// Concentrations as 16-bit grey levels, little-endian bytes: 10000 to a unit, 0 to 6.5535.
at::Tensor concentration_maps(const at::Tensor& concentrations) {
  const at::Tensor level = concentrations.mul(10000).round_().clamp_(0, 65535).to(at::kInt);
  return at::stack({level.bitwise_and(255), level.bitwise_right_shift(8)}, -1).to(at::kByte);
}

struct Pictures {
  SeparatedTiles separated;
  at::Tensor maps, images;  // undefined unless asked for
};

Napi::Value stain_separate(const Napi::CallbackInfo& info) {
  return guard_async(info.Env(), [&] {
    const Borrowed tiles = stain_tiles(info[1]);
    const bool pictures = info[2].IsBoolean() && info[2].As<Napi::Boolean>();
    return compute(
        info.Env(), {tiles.array},
        [request = StainRequest(info[0]), pixels = tiles.tensor, pictures] {
          Pictures drawn = {separate_tiles(request.placed(pixels), request.options), {}, {}};
          if (!pictures) return drawn;
          drawn.maps = concentration_maps(drawn.separated.concentrations);
          drawn.images = stain_images(drawn.separated);
          return drawn;
        },
        [](Napi::Env env, const Pictures& drawn) {
          Napi::Object result = Napi::Object::New(env);
          result["stains"] = to_float32_array(env, drawn.separated.stains);
          result["concentrations"] = to_float32_array(env, drawn.separated.concentrations);
          result["status"] = to_uint8_array(env, drawn.separated.status);
          result["maps"] = drawn.maps.defined() ? to_uint8_array(env, drawn.maps) : env.Null();
          result["images"] = drawn.images.defined() ? to_uint8_array(env, drawn.images) : env.Null();
          return result;
        });
  });
}

Napi::Value stain_sample(const Napi::CallbackInfo& info) {
  return guard_async(info.Env(), [&] {
    const Borrowed tiles = stain_tiles(info[0]);
    const std::int64_t stride = to_integer(info[1], "stride", 1);
    return compute(
        info.Env(), {tiles.array}, [pixels = tiles.tensor, stride] { return sample_pixels(pixels, stride); },
        to_uint8_array);
  });
}

Napi::Value stain_published(const Napi::CallbackInfo& info) {
  return guard(info.Env(), [&] { return to_float64_array(info.Env(), published_macenko()); });
}

Napi::Value stain_set_list(const Napi::CallbackInfo& info) {
  return guard(info.Env(), [&]() -> Napi::Value {
    Napi::Array sets = Napi::Array::New(info.Env());
    for (const StainSet& set : stain_sets()) {
      Napi::Array names = Napi::Array::New(info.Env());
      for (const std::string& stain : set.stains) names.Set(names.Length(), stain);
      Napi::Object entry = Napi::Object::New(info.Env());
      entry["name"] = Napi::String::New(info.Env(), set.name);
      entry["stains"] = names;
      sets.Set(sets.Length(), entry);
    }
    return sets;
  });
}

}  // namespace

void export_stain(Napi::Env env, Napi::Object exports) {
  Napi::Object stain = Napi::Object::New(env);
  const auto add = [&](const char* name, Napi::Value (*function)(const Napi::CallbackInfo&)) {
    stain[name] = Napi::Function::New(env, function, name);
  };
  add("fit", stain_fit);
  add("median", stain_median);
  add("normalize", stain_normalize);
  add("separate", stain_separate);
  add("sample", stain_sample);
  add("published", stain_published);
  add("sets", stain_set_list);
  exports["stain"] = stain;
}

}  // namespace stainfold::addon
