// What re-compression as baseline JPEG does to pixels: every lossy step of it, none of the entropy coding.
#pragma once

#include <ATen/core/Tensor.h>

namespace stainfold {

// YCbCr (JFIF), chroma at half resolution (4:2:0, the default of libjpeg), 8 x 8 DCT, the quantisation tables
// of ITU-T T.81 annex K scaled as libjpeg scales them, and back. Sides that are no multiple of 16 are padded
// by replication meanwhile. Differs from a file's round trip by rounding to whole grey levels only.
at::Tensor recompress(const at::Tensor& pixels,    // [V,3,H,W] float32 in [0,1]
                      const at::Tensor& quality);  // [V] int64 in [1,100], CPU -> [V,3,H,W] in [0,1]

// What the coefficients of each 8 x 8 block are rounded to multiples of.
struct QuantisationSteps {
  at::Tensor luma, chroma;  // [V,64] float32
};
QuantisationSteps quantisation_steps(const at::Tensor& quality);  // [V] as above

}  // namespace stainfold
