#include <napi.h>

#include <memory>
#include <vector>

#include "napi/convert.h"
#include "napi/exports.h"
#include "napi/resident.h"
#include "napi/stamps.h"
#include "napi/tiles.h"
#include "napi/weights.h"
#include "stainfold/embedder.h"

namespace stainfold::addon {
namespace {

// The value of a field's word among the words there are.
template <typename Value>
Value one_of(const Fields& fields, const char* name,
             const std::vector<std::pair<std::string, Value>>& words) {
  const std::string word = fields.text(name);
  std::string names;
  for (const auto& [known, value] : words) {
    if (known == word) return value;
    names += (names.empty() ? "'" : ", '") + known + "'";
  }
  throw Error(ErrorCode::option, std::string(name) + " must be one of " + names + ", got '" + word + "'");
}

AttributionOptions attribution_options(const Fields& fields) {
  using Kind = AttributionTarget::Kind;
  using Baseline = AttributionOptions::Baseline;
  AttributionOptions options;
  options.steps = fields.integer("steps");
  options.stage = fields.integer("stage");
  options.baseline =
      one_of<Baseline>(fields, "baseline", {{"glass", Baseline::glass}, {"blur", Baseline::blur}});
  options.target.kind =
      one_of<Kind>(fields, "target",
                   {{"norm", Kind::norm}, {"direction", Kind::direction}, {"similarity", Kind::similarity}});
  return options;
}

// What lives on the object's thread. staging: of batches that come in pieces.
struct ServedEmbedder : Embedder {
  using Embedder::Embedder;
  at::Tensor staging;
};

class EmbedderWrap : public Napi::ObjectWrap<EmbedderWrap> {
 public:
  static Napi::Function define(Napi::Env env) {
    return DefineClass(
        env, "Embedder",
        {InstanceMethod<&EmbedderWrap::open>("open"), InstanceMethod<&EmbedderWrap::embed>("embed"),
         InstanceMethod<&EmbedderWrap::seconds_resident>("secondsResident"),
         InstanceMethod<&EmbedderWrap::reconstruct>("reconstruct"),
         InstanceMethod<&EmbedderWrap::outlier_features>("outlierFeatures"),
         InstanceMethod<&EmbedderWrap::score>("score"), InstanceMethod<&EmbedderWrap::attribute>("attribute"),
         InstanceMethod<&EmbedderWrap::sensitivity>("sensitivity"),
         InstanceMethod<&EmbedderWrap::dispose>("dispose")});
  }

  explicit EmbedderWrap(const Napi::CallbackInfo& info)
      : ObjectWrap(info),
        options_(guard(info.Env(), [&] { return embedder_options(Fields(info[0], "options")); })),
        seed_(guard(info.Env(), [&] { return Fields(info[0], "options").seed("seed"); })),
        embedder_(info.Env(), "encoder") {}

  void Finalize(Napi::Env env) override { embedder_.collected(env); }

 private:
  struct Opened {
    std::string device, precision;
    bool has_decoder, has_outliers;
    std::int64_t bytes;
  };

  Napi::Value open(const Napi::CallbackInfo& info) {
    return embedder_.method(info.Env(), [&] {
      std::vector<TensorSpec> specs = specs_from_js(info[0]);
      const Bytes from = borrow_bytes(info[1], "data");
      return embedder_.open(
          info, {from.array},
          [options = options_, seed = seed_, specs = std::move(specs), data = from.data, size = from.size] {
            return std::make_unique<ServedEmbedder>(options, copy_in(specs, data, size), seed);
          },
          [](Embedder& embedder) {
            return Opened{embedder.device(), embedder.precision(), embedder.has_decoder(),
                          embedder.has_outliers(), embedder.bytes()};
          },
          [this](Napi::Env env, const Opened& opened) -> Napi::Value {
            embedder_.report_memory(env, opened.bytes);
            Napi::Object result = Napi::Object::New(env);
            result["device"] = opened.device;
            result["precision"] = opened.precision;
            result["hasDecoder"] = opened.has_decoder;
            result["hasOutliers"] = opened.has_outliers;
            return result;
          });
    });
  }

  // pixels, count of the other methods.
  Borrowed tiles_argument(const Napi::CallbackInfo& info) const {
    const std::int64_t count = to_integer(info[1], "count"), side = options_.model.tile_size;
    return borrow(info[0], "pixels", at::kByte, {count, side, side, 3});
  }

  // (pixels: Uint8Array | Uint8Array[], count, stamps: Float64Array(3) | null)
  // stamps: when the call began, its tiles lay side by side, its embeddings were there.
  Napi::Value embed(const Napi::CallbackInfo& info) {
    return embedder_.method(info.Env(), [&] {
      TileList tiles = tile_list(info[0], to_integer(info[1], "count"), options_.model.tile_size);
      const BorrowedStamps clock = borrow_stamps(info[2], 3, tiles.held);
      return embedder_.call(
          info, {tiles.held, clock.array},
          [runs = std::move(tiles.runs), count = tiles.count, side = tiles.side,
           stamps = clock.stamps](ServedEmbedder& embedder) {
            stamps.mark(0);
            const bool pinned = embedder.device() != "cpu";
            const at::Tensor batch = gather(runs, count, side, pinned, embedder.staging);
            stamps.mark(1);
            at::Tensor z = embedder.embed(batch);
            stamps.mark(2);
            return z;
          },
          to_float32_array);
    });
  }

  Napi::Value seconds_resident(const Napi::CallbackInfo& info) {
    return embedder_.method(info.Env(), [&] {
      const Borrowed pixels = tiles_argument(info);
      return embedder_.call(
          info, {pixels.array},
          [tiles = pixels.tensor, calls = to_integer(info[2], "calls", 1)](Embedder& embedder) {
            return embedder.seconds_resident(tiles, calls);
          },
          [](Napi::Env env, double seconds) -> Napi::Value { return Napi::Number::New(env, seconds); });
    });
  }

  Napi::Value reconstruct(const Napi::CallbackInfo& info) {
    return embedder_.method(info.Env(), [&] {
      const Borrowed pixels = tiles_argument(info);
      return embedder_.call(
          info, {pixels.array},
          [tiles = pixels.tensor](Embedder& embedder) { return embedder.reconstruct(tiles); },
          to_uint8_array);
    });
  }

  // (pixels, count, { ...manifold, seed }, views, step)
  Napi::Value outlier_features(const Napi::CallbackInfo& info) {
    return embedder_.method(info.Env(), [&] {
      const Borrowed pixels = tiles_argument(info);
      const Fields fields(info[2], "manifold");
      const std::int64_t views = to_integer(info[3], "views", 0), step = to_integer(info[4], "step", 0);
      return embedder_.call(
          info, {pixels.array},
          [tiles = pixels.tensor, options = manifold_options(fields), seed = fields.seed("seed"), views,
           step](Embedder& embedder) {
            return embedder.outlier_features(tiles, Manifold(options, seed), views,
                                             static_cast<std::uint64_t>(step));
          },
          to_float32_array);
    });
  }

  // (pixels: Uint8Array | Uint8Array[], count, z: Float32Array | null)
  Napi::Value score(const Napi::CallbackInfo& info) {
    return embedder_.method(info.Env(), [&] {
      const std::int64_t count = to_integer(info[1], "count");
      TileList tiles = tile_list(info[0], count, options_.model.tile_size);
      const auto z = borrow_optional(info[2], "z", at::kFloat, {count, options_.model.latent});
      return embedder_.call(
          info, {tiles.held, z ? z->array : tiles.held},
          [runs = std::move(tiles.runs), count, side = tiles.side,
           z = z ? z->tensor : at::Tensor()](ServedEmbedder& embedder) {
            const bool pinned = embedder.device() != "cpu";
            return embedder.score(gather(runs, count, side, pinned, embedder.staging), z);
          },
          to_float64_array);
    });
  }

  // (pixels, count, { method, target, baseline, steps, stage }, vector | null)
  Napi::Value attribute(const Napi::CallbackInfo& info) {
    return embedder_.method(info.Env(), [&] {
      const Borrowed pixels = tiles_argument(info);
      const Fields fields(info[2], "options");
      const auto vector = borrow_optional(info[3], "vector", at::kFloat, {options_.model.latent});
      AttributionOptions options = attribution_options(fields);
      if (vector) options.target.vector = vector->tensor;
      const bool cam = one_of<bool>(fields, "method", {{"gradients", false}, {"cam", true}});
      return embedder_.call(
          info, {pixels.array, vector ? vector->array : pixels.array},
          [tiles = pixels.tensor, options, cam](Embedder& embedder) {
            return cam ? embedder.gradient_cam(tiles, options)
                       : embedder.integrated_gradients(tiles, options);
          },
          [](Napi::Env env, const Attribution& found) -> Napi::Value {
            Napi::Object result = Napi::Object::New(env);
            result["map"] = to_float32_array(env, found.map);
            result["value"] = to_float32_array(env, found.value);
            result["baselineValue"] = to_float32_array(env, found.baseline_value);
            return result;
          });
    });
  }

  Napi::Value sensitivity(const Napi::CallbackInfo& info) {
    return embedder_.method(info.Env(), [&] {
      const Borrowed pixels = tiles_argument(info);
      return embedder_.call(
          info, {pixels.array},
          [tiles = pixels.tensor](Embedder& embedder) { return embedder.sensitivity(tiles); },
          [](Napi::Env env, const Sensitivity& found) -> Napi::Value {
            Napi::Object result = Napi::Object::New(env);
            result["length"] = to_float32_array(env, found.length);
            result["norm"] = to_float32_array(env, found.norm);
            result["maps"] = to_float32_array(env, found.maps);
            return result;
          });
    });
  }

  Napi::Value dispose(const Napi::CallbackInfo& info) { return embedder_.dispose(info); }

  EmbedderOptions options_;
  std::uint64_t seed_;
  Resident<ServedEmbedder> embedder_;
};

}  // namespace

void export_embedder(Napi::Env env, Napi::Object exports) { exports["Embedder"] = EmbedderWrap::define(env); }

}  // namespace stainfold::addon
