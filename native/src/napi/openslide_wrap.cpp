#include "napi/openslide_wrap.h"

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "napi/call.h"
#include "slide/openslide_reader.h"

namespace stainfold::addon {
namespace {

std::vector<std::string> library_names(const Napi::Value& value) {
  if (!value.IsArray()) throw Error(ErrorCode::option, "names must be an array");
  const auto list = value.As<Napi::Array>();
  std::vector<std::string> names;
  for (std::uint32_t i = 0; i < list.Length(); ++i) names.push_back(list.Get(i).ToString().Utf8Value());
  return names;
}

Napi::Object described(Napi::Env env, const OpenSlideDescription& slide) {
  Napi::Object result = Napi::Object::New(env);
  result["vendor"] = slide.vendor;
  Napi::Array levels = Napi::Array::New(env);
  for (const OpenSlideLevel& level : slide.levels) {
    Napi::Object entry = Napi::Object::New(env);
    entry["width"] = static_cast<double>(level.width);
    entry["height"] = static_cast<double>(level.height);
    entry["downsample"] = level.downsample;
    levels.Set(levels.Length(), entry);
  }
  result["levels"] = levels;
  Napi::Object properties = Napi::Object::New(env);
  for (const auto& [name, value] : slide.properties) properties[name] = value;
  result["properties"] = properties;
  Napi::Array associated = Napi::Array::New(env);
  for (const std::string& name : slide.associated) associated.Set(associated.Length(), name);
  result["associated"] = associated;
  auto icc = Napi::Uint8Array::New(env, slide.icc.size());
  std::copy(slide.icc.begin(), slide.icc.end(), icc.Data());
  result["icc"] = icc;
  return result;
}

// The slide closes once nobody reads any more: each read holds it.
class OpenSlideWrap : public Napi::ObjectWrap<OpenSlideWrap> {
 public:
  static Napi::Function define(Napi::Env env) {
    return DefineClass(
        env, "OpenSlide",
        {InstanceMethod<&OpenSlideWrap::open>("open"), InstanceMethod<&OpenSlideWrap::read>("read"),
         InstanceMethod<&OpenSlideWrap::close>("close")});
  }

  explicit OpenSlideWrap(const Napi::CallbackInfo& info) : ObjectWrap(info) {
    guard(info.Env(), [&] {
      const Fields options(info[0], "options");
      path_ = options.text("path");
      cache_bytes_ = static_cast<std::size_t>(options.seed("cacheBytes"));
      names_ = library_names(options.value("libraries"));
    });
  }

  void Finalize(Napi::Env env) override { report_memory(env, 0); }

 private:
  using Slot = std::shared_ptr<OpenSlideReader>;

  Napi::Value open(const Napi::CallbackInfo& info) {
    return guard_async(info.Env(), [&] {
      if (closed_) throw disposed("slide");
      return pooled(
          info.Env(), {info.This()},
          [path = path_, bytes = cache_bytes_, names = names_] {
            return std::make_shared<OpenSlideReader>(load_openslide(names), path, bytes);
          },
          [this](Napi::Env env, Slot reader) -> Napi::Value {
            if (!closed_) {
              reader_ = reader;
              report_memory(env, static_cast<std::int64_t>(cache_bytes_));
            }
            return described(env, reader->description());
          });
    });
  }

  // (level, geometry)
  Napi::Value read(const Napi::CallbackInfo& info) {
    return guard_async(info.Env(), [&] {
      if (closed_) throw disposed("slide");
      if (!reader_) throw Error(ErrorCode::state, "this slide is not open");
      const std::int64_t level = to_integer(info[0], "level", 0);
      return pooled(
          info.Env(), {info.This()},
          [reader = reader_, level, geometry = slide_geometry(Fields(info[1], "geometry"))] {
            return reader->read(level, geometry);
          },
          to_uint8_array);
    });
  }

  void close(const Napi::CallbackInfo& info) {
    closed_ = true;
    reader_.reset();
    report_memory(info.Env(), 0);
  }

  // The library's cache is the largest part of what an open slide holds.
  void report_memory(Napi::Env env, std::int64_t bytes) {
    Napi::MemoryManagement::AdjustExternalMemory(env, bytes - std::exchange(reported_bytes_, bytes));
  }

  std::string path_;
  std::size_t cache_bytes_ = 0;
  std::vector<std::string> names_;
  bool closed_ = false;
  std::int64_t reported_bytes_ = 0;
  Slot reader_;
};

Napi::Value load_library(const Napi::CallbackInfo& info) {
  return guard(info.Env(), [&]() -> Napi::Value {
    const OpenSlideLibrary& library = load_openslide(library_names(info[0]));
    Napi::Object result = Napi::Object::New(info.Env());
    result["path"] = library.path;
    result["version"] = library.version;
    return result;
  });
}

}  // namespace

SlideGeometry slide_geometry(const Fields& fields) {
  return {fields.number("x"), fields.number("y"), fields.number("scale"), fields.integer("width"),
          fields.integer("height")};
}

void add_openslide(Napi::Env env, Napi::Object slide) {
  slide["loadOpenSlide"] = Napi::Function::New(env, load_library, "loadOpenSlide");
  slide["OpenSlide"] = OpenSlideWrap::define(env);
}

}  // namespace stainfold::addon
