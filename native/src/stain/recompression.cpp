#include "stain/recompression.h"

#include <ATen/ATen.h>

#include <array>
#include <cmath>

#include "stain/jpeg_tables.h"

namespace stainfold {
namespace {

constexpr std::int64_t kBlock = 8;
constexpr std::int64_t kMacroblock = 16;  // luma pixels that one chroma block covers

// The two-dimensional DCT-II of a row-major 8 x 8 block as one orthogonal matrix.
at::Tensor block_dct() {  // [64,64]
  const at::Tensor index = at::arange(kBlock, at::kDouble);
  at::Tensor line =
      at::cos(at::outer(index, index * 2 + 1) * (M_PI / (2 * kBlock))) * std::sqrt(2.0 / kBlock);
  line.select(0, 0).mul_(std::sqrt(0.5));
  return at::kron(line, line).to(at::kFloat);
}

// libjpeg's scaling of a table.
at::Tensor quantisation(const std::array<float, 64>& table, const at::Tensor& quality) {  // -> [V,64]
  const at::Tensor q = quality.to(at::kFloat);
  const at::Tensor scale = at::where(q < 50, at::floor(5000 / q), 200 - 2 * q).unsqueeze(1);
  const at::Tensor base = at::tensor(at::ArrayRef<float>(table));
  return at::floor((base * scale + 50) / 100).clamp_(1, 255);
}

// Quantises the DCT coefficients of every 8 x 8 block: the division goes into one matrix, the multiplication
// into the other, so that between two products there is only the rounding.
at::Tensor requantise(const at::Tensor& planes,   // [V,C,h,w], sides multiples of 8, grey levels about 0
                      const at::Tensor& table) {  // [V,64], CPU -> [V,C,h,w] in units of 1/255
  const std::int64_t channels = planes.size(1);
  const at::Tensor dct = block_dct();
  const auto placed = [&](const at::Tensor& matrices) {
    const at::Tensor moved = matrices.to(planes.device());
    return channels == 1 ? moved : moved.repeat_interleave(channels, 0);
  };
  const at::Tensor forward = placed(dct / table.unsqueeze(2));
  const at::Tensor inverse = placed(dct.t() * (table / 255).unsqueeze(1));

  const at::Tensor blocks = at::pixel_unshuffle(planes, kBlock);  // [V,C*64,h/8,w/8]
  const at::Tensor levels = at::bmm(forward, blocks.reshape({planes.size(0) * channels, 64, -1})).round_();
  return at::pixel_shuffle(at::bmm(inverse, levels).view(blocks.sizes()), kBlock);
}

}  // namespace

QuantisationSteps quantisation_steps(const at::Tensor& quality) {
  return {quantisation(kLuma, quality), quantisation(kChroma, quality)};
}

at::Tensor recompress(const at::Tensor& pixels, const at::Tensor& quality) {
  const std::int64_t views = pixels.size(0), height = pixels.size(2), width = pixels.size(3);
  const auto missing = [](std::int64_t side) { return (kMacroblock - side % kMacroblock) % kMacroblock; };
  const bool whole = missing(height) == 0 && missing(width) == 0;
  const at::Tensor padded =
      whole ? pixels : at::replication_pad2d(pixels, {0, missing(width), 0, missing(height)});
  const std::int64_t rows = padded.size(2), columns = padded.size(3);

  const auto constant = [&](at::ArrayRef<float> values) { return at::tensor(values).to(pixels.device()); };
  const at::Tensor to_ycc = constant(kToYcc).view({1, 3, 3}) * 255;
  const at::Tensor level = constant({-128.0F, 0.0F, 0.0F}).view({1, 3, 1});
  const at::Tensor ycc = at::baddbmm(level, to_ycc.expand({views, 3, 3}), padded.view({views, 3, -1}))
                             .view({views, 3, rows, columns});

  const QuantisationSteps steps = quantisation_steps(quality);
  const at::Tensor luma = requantise(ycc.narrow(1, 0, 1), steps.luma).add_(128.0 / 255.0);
  // Without aligned corners, bilinear at a factor of two is the mean of 2 x 2 pixels on the way down, and the
  // triangle filter of libjpeg's "fancy upsampling" on the way up.
  const at::Tensor halved =
      at::upsample_bilinear2d(ycc.narrow(1, 1, 2), {rows / 2, columns / 2}, /*align_corners=*/false);
  const at::Tensor chroma =
      at::upsample_bilinear2d(requantise(halved, steps.chroma), {rows, columns}, /*align_corners=*/false);

  const at::Tensor from_chroma = constant(kFromChroma).view({1, 3, 2}).expand({views, 3, 2});
  const at::Tensor rgb = at::baddbmm(luma.view({views, 1, -1}), from_chroma, chroma.view({views, 2, -1}))
                             .clamp_(0, 1)
                             .view({views, 3, rows, columns});
  return whole ? rgb : rgb.slice(2, 0, height).slice(3, 0, width);
}

}  // namespace stainfold
