#include "stainfold/phantom.h"

#include <ATen/ATen.h>

#include <array>
#include <cmath>

#include "core/checks.h"
#include "phantom/canvas.h"
#include "phantom/tissues/tissues.h"

namespace stainfold {
namespace {

using namespace phantom;

struct TissueClass {
  const char* name;
  void (*paint)(Canvas&, Key);
};

constexpr std::array<TissueClass, 6> tissue_classes = {{{"gland", paint_gland},
                                                        {"stroma", paint_stroma},
                                                        {"tumour", paint_tumour},
                                                        {"lymphocytes", paint_lymphocytes},
                                                        {"fat", paint_fat},
                                                        {"background", paint_background}}};

// Tissue binds only so much dye: straight up to about 1, never above 2.5.
float saturate(float concentration) {
  const float bound = std::max(0.0F, concentration), share = bound / 2.5F;
  return bound / std::sqrt(1 + share * share);
}

// No two blocks are cut equally thick or stained equally long, and no section is quite even.
void vary_staining(Canvas& canvas, Key key) {
  Random random(derive(key, 0));
  const float thickness = random.between(0.7F, 1.3F);
  const float h = thickness * random.between(0.85F, 1.15F), e = thickness * random.between(0.85F, 1.15F);
  const Texture unevenness(derive(key, 1), 70, canvas.mpp());
  const float middle = canvas.extent() / 2;
  canvas.repaint({middle, middle}, middle, [&](Point p, Stain before) {
    const float here = 1 + 0.08F * unevenness(p);
    return Stain{saturate(before.h * h * here), saturate(before.e * e * here)};
  });
}

}  // namespace

const std::vector<std::string>& phantom_tissues() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> result;
    for (const TissueClass& tissue : tissue_classes) result.emplace_back(tissue.name);
    return result;
  }();
  return names;
}

at::Tensor phantom_concentrations(std::int64_t tissue, std::int64_t size, double mpp, std::uint64_t seed) {
  check_option(tissue >= 0 && tissue < static_cast<std::int64_t>(tissue_classes.size()),
               "tissue must be from 0 to 5, got " + std::to_string(tissue));
  check_option(size >= 1 && size <= 16384,
               "size must be from 1 to 16384 pixels, got " + std::to_string(size));
  check_option(std::isfinite(mpp) && mpp >= 0.05 && mpp <= 10,
               "mpp must be from 0.05 to 10 micrometres a pixel, got " + std::to_string(mpp));
  at::Tensor concentrations = at::empty({2, size, size}, at::kFloat);
  Canvas canvas(concentrations.data_ptr<float>(), size, static_cast<float>(mpp));
  const Key key = derive(seed, tissue);
  tissue_classes[static_cast<std::size_t>(tissue)].paint(canvas, derive(key, 1));
  vary_staining(canvas, derive(key, 2));
  return concentrations;
}

}  // namespace stainfold
