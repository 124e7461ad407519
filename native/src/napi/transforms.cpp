// Transforms of a manifold as JavaScript gives them: { type, ...parameters }, complete; their defaults are
// TypeScript's. Ranges are checked where they are rendered.
#include "stainfold/transforms.h"

#include <algorithm>
#include <functional>
#include <map>

#include "napi/convert.h"

namespace stainfold::addon {
namespace {

template <std::size_t N>
std::array<double, N> numbers(const Fields& fields, const char* name) {
  const Napi::Value value = fields.value(name);
  if (!value.IsArray() || value.As<Napi::Array>().Length() != N) {
    throw Error(ErrorCode::option,
                std::string(name) + " must be an array of " + std::to_string(N) + " numbers");
  }
  std::array<double, N> list{};
  for (std::uint32_t i = 0; i < N; ++i) list[i] = to_number(value.As<Napi::Array>().Get(i), name);
  return list;
}

using Reader = std::function<Transform(const Fields&)>;

const std::map<std::string, Reader>& readers() {
  using namespace transform;
  static const std::map<std::string, Reader> table = {
      {"stain",
       [](const Fields& f) {
         return Stain{numbers<6>(f, "vectors"),  f.flag("estimate"),     f.number("tolerance"),
                      f.number("concentration"), f.number("background"), f.number("rotation"),
                      f.flag("uniform")};
       }},
      {"hed",
       [](const Fields& f) {
         return Hed{f.number("scale"), f.number("offset")};
       }},
      {"gain",
       [](const Fields& f) {
         return Gain{f.number("spread"), f.number("common")};
       }},
      {"gamma", [](const Fields& f) { return Gamma{f.number("spread")}; }},
      {"background",
       [](const Fields& f) {
         return Background{f.number("spread"), f.number("common")};
       }},
      {"window",
       [](const Fields& f) {
         return Window{f.number("low"), f.number("high"), f.number("common")};
       }},
      {"bias",
       [](const Fields& f) {
         return BiasField{f.number("spread"), f.number("common")};
       }},
      {"noise",
       [](const Fields& f) {
         return Noise{f.number("spread"), f.number("shot"), f.number("common")};
       }},
      {"template",
       [](const Fields& f) {
         return LabTemplate{numbers<3>(f, "mean"), numbers<3>(f, "meanSpread"), numbers<3>(f, "deviation"),
                            numbers<3>(f, "deviationSpread")};
       }},
      {"blur",
       [](const Fields& f) {
         return Blur{f.number("sigma"), f.number("share")};
       }},
      {"jpeg",
       [](const Fields& f) {
         return Jpeg{f.integer("qualityMin"), f.number("share")};
       }},
  };
  return table;
}

}  // namespace

std::vector<Transform> transforms_from_js(const Napi::Value& value, const std::string& path) {
  if (!value.IsArray()) throw Error(ErrorCode::option, path + " must be an array");
  const auto list = value.As<Napi::Array>();
  std::vector<Transform> transforms;
  for (std::uint32_t i = 0; i < list.Length(); ++i) {
    const Fields fields(list.Get(i), path + "[" + std::to_string(i) + "]");
    const std::string type = fields.text("type");
    const auto reader = readers().find(type);
    if (reader == readers().end())
      throw Error(ErrorCode::option, path + ": there is no transform '" + type + "'");
    transforms.push_back(reader->second(fields));
  }
  return transforms;
}

}  // namespace stainfold::addon
