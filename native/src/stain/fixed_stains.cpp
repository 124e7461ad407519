#include <ATen/ATen.h>

#include <array>

#include "core/checks.h"
#include "stainfold/stain.h"

namespace stainfold {
namespace {

using Vector = std::array<double, 3>;

struct FixedStain {
  const char* name;
  Vector density;  // red, green, blue
};

// Ruifrok & Johnston 2001, table 1.
constexpr FixedStain kHaematoxylin = {"haematoxylin", {0.65, 0.70, 0.29}};
constexpr FixedStain kEosin = {"eosin", {0.07, 0.99, 0.11}};
constexpr FixedStain kDab = {"dab", {0.27, 0.57, 0.78}};
// G. Landini, Colour Deconvolution, the three digits that scikit-image has.
constexpr FixedStain kLandiniHaematoxylin = {"haematoxylin", {0.650, 0.704, 0.286}};
constexpr FixedStain kLandiniDab = {"dab", {0.268, 0.570, 0.776}};

struct FixedSet {
  const char* name;
  std::vector<FixedStain> stains;
};

const std::vector<FixedSet>& fixed_sets() {
  static const std::vector<FixedSet> sets = {
      {"he", {kHaematoxylin, kEosin}},
      {"hed", {kHaematoxylin, kEosin, kDab}},
      {"hdab", {kLandiniHaematoxylin, kLandiniDab}},
      {"hrd", {kLandiniHaematoxylin, {"fast red", {0.21393921, 0.85112669, 0.47794022}}, kLandiniDab}},
      {"haec", {kLandiniHaematoxylin, {"aec", {0.2743, 0.6796, 0.6803}}}},
      {"hpas", {{"haematoxylin", {0.644211, 0.716556, 0.266844}}, {"pas", {0.175411, 0.972178, 0.154589}}}},
      {"gdab", {{"methyl green", {0.98003, 0.144316, 0.133146}}, kLandiniDab}},
      {"giemsa",
       {{"methyl blue", {0.834750233, 0.513556283, 0.196330403}}, {"eosin", {0.092789, 0.954111, 0.283111}}}},
      {"alcian",
       {{"alcian blue", {0.874622, 0.457711, 0.158256}}, {"haematoxylin", {0.552556, 0.7544, 0.353744}}}},
  };
  return sets;
}

}  // namespace

std::vector<StainSet> stain_sets() {
  std::vector<StainSet> named;
  for (const FixedSet& set : fixed_sets()) {
    StainSet& entry = named.emplace_back(StainSet{set.name, {}});
    for (const FixedStain& stain : set.stains) entry.stains.emplace_back(stain.name);
  }
  return named;
}

at::Tensor stain_matrix(const std::string& name) {
  std::string known;
  for (const FixedSet& set : fixed_sets()) {
    known += (known.empty() ? "'" : ", '") + std::string(set.name) + "'";
    if (name != set.name) continue;
    std::vector<at::Tensor> columns;
    for (const FixedStain& stain : set.stains) columns.push_back(at::tensor(stain.density, at::kDouble));
    const at::Tensor matrix = at::stack(columns, 1);
    return matrix / matrix.norm(2, 0, /*keepdim=*/true);
  }
  throw Error(ErrorCode::option, "stains must be one of " + known + ", got '" + name + "'");
}

}  // namespace stainfold
