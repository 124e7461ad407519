#include "core/instruction_sets.h"
#include "core/vector_math.h"
#include "stain/pixel_math.h"
#include "stain/simd/view_loops.h"

namespace stainfold {
namespace {

constexpr std::int64_t kBlock = 512;            // densities of three channels in the first-level cache
constexpr float kLogGlass = 5.48063892334199F;  // ln 240

}  // namespace

STAINFOLD_CLONES
void render_view(const float* grey, std::int64_t pixels, const CurveView& curve, float* light) {
  alignas(64) float density[3][kBlock];
  for (std::int64_t first = 0; first < pixels; first += kBlock) {
    const std::int64_t count = pixels - first < kBlock ? pixels - first : kBlock;
    for (int k = 0; k < 3; ++k) {
      const float* const levels = grey + k * pixels + first;
      for (std::int64_t i = 0; i < count; ++i) density[k][i] = kLogGlass - vector_log(levels[i] + 1.0F);
    }
    for (int k = 0; k < 3; ++k) {
      const float r = curve.slope[3 * k], g = curve.slope[3 * k + 1], b = curve.slope[3 * k + 2];
      const float start = curve.intercept[k], brightest = curve.brightest[k];
      float* const into = light + k * pixels + first;
      for (std::int64_t i = 0; i < count; ++i) {
        const float power = start + r * density[0][i] + g * density[1][i] + b * density[2][i];
        into[i] = light_on_curve(power, brightest);
      }
    }
  }
}

}  // namespace stainfold
