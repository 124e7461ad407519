#include <napi.h>

#include <memory>
#include <vector>

#include "napi/convert.h"
#include "napi/exports.h"
#include "napi/resident.h"
#include "napi/trained_state.h"
#include "stainfold/translator.h"
#include "stainfold/translator_trainer.h"

namespace stainfold::addon {
namespace {

TranslatorConfig translator_config(const Fields& fields) {
  TranslatorConfig config;
  config.tile_size = fields.integer("tileSize");
  config.width = fields.integer("width");
  config.blocks = fields.integer("blocks");
  config.judge_width = fields.integer("judgeWidth");
  config.judge_layers = fields.integer("judgeLayers");
  return config;
}

TranslatorTrainOptions translator_train_options(const Fields& fields) {
  TranslatorTrainOptions options;
  options.model = translator_config(fields.fields("model"));
  options.cycle = fields.number("cycle");
  options.identity = fields.number("identity");
  options.pool = fields.integer("pool");
  options.geometry = fields.flag("geometry");
  options.total_steps = fields.integer("totalSteps");
  options.constant_steps = fields.integer("constantSteps");
  options.learning_rate = fields.number("learningRate");
  options.seed = fields.seed("seed");
  options.device = fields.text("device");
  options.precision = fields.text("precision");
  return options;
}

TranslatorOptions translator_options(const Fields& fields) {
  TranslatorOptions options;
  options.model = translator_config(fields.fields("model"));
  options.device = fields.text("device");
  options.precision = fields.text("precision");
  return options;
}

Appearance to_appearance(const Napi::Value& value) {
  const std::string name = value.IsString() ? std::string(value.As<Napi::String>()) : "";
  if (name == "source") return Appearance::source;
  if (name == "target") return Appearance::target;
  throw Error(ErrorCode::option, "to must be 'source' or 'target', got '" + name + "'");
}

Napi::Value translator_report_to_js(Napi::Env env, const TranslatorReport& report) {
  Napi::Object result = Napi::Object::New(env);
  result["step"] = static_cast<double>(report.step);
  result["learningRate"] = report.learning_rate;
  result["loss"] = report.loss;
  result["adversarial"] = report.adversarial;
  result["cycle"] = report.cycle;
  result["identity"] = report.identity;
  result["judge"] = report.judge;
  result["gradientNorm"] = report.gradient_norm;
  result["judgeGradientNorm"] = report.judge_gradient_norm;
  result["tiles"] = static_cast<double>(report.tiles);
  return result;
}

class TranslatorTrainerWrap : public Napi::ObjectWrap<TranslatorTrainerWrap> {
 public:
  static Napi::Function define(Napi::Env env) {
    using Wrap = TranslatorTrainerWrap;
    return DefineClass(
        env, "TranslatorTrainer",
        {InstanceMethod<&Wrap::open>("open"), InstanceMethod<&Wrap::step>("step"),
         InstanceMethod<&Wrap::layout>("layout"), InstanceMethod<&Wrap::export_state>("exportState"),
         InstanceMethod<&Wrap::import_state>("importState"), InstanceMethod<&Wrap::dispose>("dispose")});
  }

  explicit TranslatorTrainerWrap(const Napi::CallbackInfo& info)
      : ObjectWrap(info),
        options_(guard(info.Env(), [&] { return translator_train_options(Fields(info[0], "options")); })),
        trainer_(info.Env(), "translator trainer") {}

  void Finalize(Napi::Env env) override { trainer_.collected(env); }

 private:
  Napi::Value open(const Napi::CallbackInfo& info) { return open_trained(info, trainer_, options_, layout_); }

  // source, source count, target, target count
  Napi::Value step(const Napi::CallbackInfo& info) {
    return trainer_.method(info.Env(), [&] {
      const std::int64_t side = options_.model.tile_size;
      const std::int64_t sources = to_integer(info[1], "sourceCount");
      const std::int64_t targets = to_integer(info[3], "targetCount");
      const Borrowed source = borrow(info[0], "source", at::kByte, {sources, side, side, 3});
      const Borrowed target = borrow(info[2], "target", at::kByte, {targets, side, side, 3});
      return trainer_.call(
          info, {source.array, target.array},
          [source = source.tensor, target = target.tensor](TranslatorTrainer& trainer) {
            return trainer.step(source, target);
          },
          translator_report_to_js);
    });
  }

  Napi::Value layout(const Napi::CallbackInfo& info) {
    return layout_of(info, trainer_, "translator trainer", layout_);
  }
  Napi::Value export_state(const Napi::CallbackInfo& info) { return addon::export_state(info, trainer_); }
  Napi::Value import_state(const Napi::CallbackInfo& info) { return addon::import_state(info, trainer_); }
  Napi::Value dispose(const Napi::CallbackInfo& info) {
    layout_ = {};
    return trainer_.dispose(info);
  }

  TranslatorTrainOptions options_;
  Resident<TranslatorTrainer> trainer_;
  std::vector<TensorSpec> layout_;  // empty until open() is settled
};

class TranslatorWrap : public Napi::ObjectWrap<TranslatorWrap> {
 public:
  static Napi::Function define(Napi::Env env) {
    return DefineClass(env, "Translator",
                       {InstanceMethod<&TranslatorWrap::open>("open"),
                        InstanceMethod<&TranslatorWrap::translate>("translate"),
                        InstanceMethod<&TranslatorWrap::dispose>("dispose")});
  }

  explicit TranslatorWrap(const Napi::CallbackInfo& info)
      : ObjectWrap(info),
        options_(guard(info.Env(), [&] { return translator_options(Fields(info[0], "options")); })),
        translator_(info.Env(), "translator") {}

  void Finalize(Napi::Env env) override { translator_.collected(env); }

 private:
  struct Opened {
    std::string device, precision;
  };

  Napi::Value open(const Napi::CallbackInfo& info) {
    return translator_.method(info.Env(), [&] {
      std::vector<TensorSpec> specs = specs_from_js(info[0]);
      const Bytes from = borrow_bytes(info[1], "data");
      return translator_.open(
          info, {from.array},
          [options = options_, specs = std::move(specs), data = from.data, size = from.size] {
            return std::make_unique<Translator>(options, copy_in(specs, data, size));
          },
          [](Translator& translator) {
            return Opened{translator.device(), translator.precision()};
          },
          [this, bytes = from.size](Napi::Env env, const Opened& opened) -> Napi::Value {
            translator_.report_memory(env, bytes);
            Napi::Object result = Napi::Object::New(env);
            result["device"] = opened.device;
            result["precision"] = opened.precision;
            return result;
          });
    });
  }

  // pixels, count, side, to
  Napi::Value translate(const Napi::CallbackInfo& info) {
    return translator_.method(info.Env(), [&] {
      const std::int64_t count = to_integer(info[1], "count"), side = to_integer(info[2], "side");
      const Borrowed pixels = borrow(info[0], "pixels", at::kByte, {count, side, side, 3});
      return translator_.call(
          info, {pixels.array},
          [tiles = pixels.tensor, to = to_appearance(info[3])](Translator& translator) {
            return translator.translate(tiles, to);
          },
          to_uint8_array);
    });
  }

  Napi::Value dispose(const Napi::CallbackInfo& info) { return translator_.dispose(info); }

  TranslatorOptions options_;
  Resident<Translator> translator_;
};

}  // namespace

void export_translator(Napi::Env env, Napi::Object exports) {
  exports["TranslatorTrainer"] = TranslatorTrainerWrap::define(env);
  exports["Translator"] = TranslatorWrap::define(env);
}

}  // namespace stainfold::addon
