// What a rendering does to one view, planes [3,height,width] of light in [0,1], small enough for a
// second-level cache.
#pragma once

#include <cstdint>

namespace stainfold {

// ln(light) = min(slope OD + intercept, brightest) per channel; light is then brought from 256 levels to 255.
struct CurveView {
  float slope[9], intercept[3], brightest[3];
};
void render_view(const float* grey,  // [3,pixels] grey levels
                 std::int64_t pixels, const CurveView& curve,
                 float* light);  // [3,pixels]

// light + weight (blurred - light), edges repeated, clipped to [0,1]; the blur is profile x profile.
struct FocusView {
  const float* profile;  // [2 radius + 1]
  std::int64_t radius;
  float weight;
};
std::int64_t focus_scratch(std::int64_t height, std::int64_t width, std::int64_t radius);  // floats
void refocus_view(float* light, std::int64_t height, std::int64_t width, const FocusView& focus,
                  float* scratch);

// Baseline JPEG there and back, see stain/recompression.h.
struct JpegView {
  const float* luma;    // [64] quantisation steps, rows of frequency
  const float* chroma;  // [64]
};
std::int64_t jpeg_scratch(std::int64_t height, std::int64_t width);  // floats
void recompress_view(float* light, std::int64_t height, std::int64_t width, const JpegView& jpeg,
                     float* scratch);

// Bilinear, edges repeated, in grid_sampler's coordinates without aligned corners: (x, y) of the source is
// map (u, v, 1). A symmetry of the square moves pixels without touching them.
struct TurnView {
  float map[6];
  bool channels_last;  // result [height,width,3] instead of [3,height,width]
};
void turn_view(const float* light, std::int64_t height, std::int64_t width, const TurnView& turn,
               float* result);

}  // namespace stainfold
