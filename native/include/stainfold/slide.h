// Whole slides: regions resampled from a pyramid level, the tissue mask, and what a tile's pixels say of its
// quality.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

namespace stainfold {

// A region in the continuous coordinates of one pyramid level, where pixel j covers j to j + 1: output pixel
// i of a row covers x + i scale to x + (i + 1) scale.
struct SlideGeometry {
  double x, y;                 // of the region's top-left corner
  double scale;                // level pixels per output pixel, > 0
  std::int64_t width, height;  // of the output, >= 1
};

// A rectangle of decoded pixels of the level: RGB, row by row. Rectangles may overlap and reach beyond the
// level.
struct SlidePiece {
  const std::uint8_t* pixels;
  std::int64_t x, y, width, height;
};

// A rectangle of whole level pixels.
struct SlideWindow {
  std::int64_t x = 0, y = 0, width = 0, height = 0;
};

// The pixels of a level that a region depends on; empty where the region lies beside the slide.
SlideWindow region_window(const SlideGeometry& geometry, std::int64_t level_width, std::int64_t level_height);

// Resamples by separable cubic convolution (a = -0.5; Keys 1981), widened by the scale where that is above 1,
// so that nothing aliases: what Pillow calls BICUBIC. Weights are normalised over the pixels that there are,
// so the slide's edge is not mixed with the glass beyond. An output pixel whose centre is off the slide, and
// a level pixel that no piece covers, is white. Errors: option.
at::Tensor render_region(const std::vector<SlidePiece>& pieces, std::int64_t level_width,
                         std::int64_t level_height,
                         const SlideGeometry& geometry);  // -> [height,width,3] uint8

// The next level of a pyramid: each pixel the mean of four.
at::Tensor halve_region(const at::Tensor& pixels);  // [H,W,3] uint8, H and W even -> [H/2,W/2,3] uint8

struct TissueOptions {
  double least_saturation = 0.05, most_saturation = 0.15;  // what Otsu's threshold is held between
  std::int64_t closing = 2;                                // radius of the closing, pixels
  std::int64_t smallest = 64;                              // connected tissue below this many pixels is dirt
  std::int64_t largest_hole = 64;                          // and a hole up to this many is tissue
};

struct TissueFound {
  at::Tensor mask;   // [H,W] uint8, 1: tissue
  double threshold;  // of the saturation, 0 to 1
};

// Otsu's threshold on the HSV saturation of the 3 x 3 means, then morphology. Black (value below 0.1: what
// scanners fill in) is no tissue.
TissueFound find_tissue(const at::Tensor& pixels,  // [H,W,3] uint8
                        const TissueOptions& options);

// Polygons by the even-odd rule each, so that inner rings are holes, and united: a pixel is 1 whose centre
// lies inside of one.
at::Tensor fill_polygons(const at::Tensor& points,         // [P,2] float64, x y in pixels of the mask
                         const at::Tensor& ring_starts,    // [R] int64, ascending: each ring's first point
                         const at::Tensor& ring_polygons,  // [R] int64, non-descending: its polygon
                         std::int64_t height, std::int64_t width);  // -> [height,width] uint8

// Mean of the mask over rectangles; parts of pixels count by their area, what lies off the mask as 0.
at::Tensor box_shares(const at::Tensor& mask,    // [H,W] uint8, 0 or 1
                      const at::Tensor& boxes);  // [N,4] float64, x y width height -> [N] float32

// The optical density that nine in ten of the mask's pixels stay below, the mean of the three channels'
// -ln((I+1)/256): how much one section of this slide absorbs where it is dense. 0 where the mask is empty.
double high_density(const at::Tensor& pixels,  // [H,W,3] uint8
                    const at::Tensor& mask);   // [H,W] uint8

// Columns of tile_quality.
enum class TileMeasure : std::int64_t {
  stained,    // share of pixels that are neither glass nor the black that scanners fill in
  sharpness,  // mean squared Laplacian over mean squared gradient of the luminance where stained: free of
              // contrast
  ink,        // share of pixels of a colour that H&E has not: green, cyan, glaring blue or red, black
  fold,       // share of the stained blocks that absorb like two sections
  count
};

// density: of the slide, as high_density has it. blocks: along each side; a block should be
// larger than a nucleus. Errors: shape, dtype, option.
at::Tensor tile_quality(const at::Tensor& tiles,               // [B,H,W,3] uint8
                        double density, std::int64_t blocks);  // > 0, 1 to 256 -> [B,4] float64

}  // namespace stainfold
