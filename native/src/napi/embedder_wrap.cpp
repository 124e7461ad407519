#include <napi.h>

#include <memory>
#include <vector>

#include "napi/convert.h"
#include "napi/exports.h"
#include "napi/resident.h"
#include "napi/weights.h"
#include "stainfold/embedder.h"

namespace stainfold::addon {
namespace {

class EmbedderWrap : public Napi::ObjectWrap<EmbedderWrap> {
 public:
  static Napi::Function define(Napi::Env env) {
    return DefineClass(
        env, "Embedder",
        {InstanceMethod<&EmbedderWrap::open>("open"), InstanceMethod<&EmbedderWrap::embed>("embed"),
         InstanceMethod<&EmbedderWrap::reconstruct>("reconstruct"),
         InstanceMethod<&EmbedderWrap::dispose>("dispose")});
  }

  explicit EmbedderWrap(const Napi::CallbackInfo& info)
      : ObjectWrap(info),
        options_(guard(info.Env(), [&] { return embedder_options(Fields(info[0], "options")); })),
        seed_(guard(info.Env(), [&] { return Fields(info[0], "options").seed("seed"); })),
        embedder_(info.Env(), "encoder") {}

  void Finalize(Napi::Env env) override { embedder_.report_memory(env, 0); }

 private:
  struct Opened {
    std::string device, precision;
    bool has_decoder;
  };

  Napi::Value open(const Napi::CallbackInfo& info) {
    return embedder_.method(info.Env(), [&] {
      std::vector<TensorSpec> specs = specs_from_js(info[0]);
      const Bytes from = borrow_bytes(info[1], "data");
      return embedder_.open(
          info, {from.array},
          [options = options_, seed = seed_, specs = std::move(specs), data = from.data, size = from.size] {
            return std::make_unique<Embedder>(options, copy_in(specs, data, size), seed);
          },
          [](Embedder& embedder) {
            return Opened{embedder.device(), embedder.precision(), embedder.has_decoder()};
          },
          [this, bytes = from.size](Napi::Env env, const Opened& opened) -> Napi::Value {
            embedder_.report_memory(env, bytes);
            Napi::Object result = Napi::Object::New(env);
            result["device"] = opened.device;
            result["precision"] = opened.precision;
            result["hasDecoder"] = opened.has_decoder;
            return result;
          });
    });
  }

  // pixels, count of both methods.
  Borrowed tiles_argument(const Napi::CallbackInfo& info) const {
    const std::int64_t count = to_integer(info[1], "count"), side = options_.model.tile_size;
    return borrow(info[0], "pixels", at::kByte, {count, side, side, 3});
  }

  Napi::Value embed(const Napi::CallbackInfo& info) {
    return embedder_.method(info.Env(), [&] {
      const Borrowed pixels = tiles_argument(info);
      return embedder_.call(
          info, {pixels.array}, [tiles = pixels.tensor](Embedder& embedder) { return embedder.embed(tiles); },
          to_float32_array);
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

  Napi::Value dispose(const Napi::CallbackInfo& info) { return embedder_.dispose(info); }

  EmbedderOptions options_;
  std::uint64_t seed_;
  Resident<Embedder> embedder_;
};

}  // namespace

void export_embedder(Napi::Env env, Napi::Object exports) { exports["Embedder"] = EmbedderWrap::define(env); }

}  // namespace stainfold::addon
