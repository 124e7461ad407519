#include "stain/stained_pixels.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "stainfold/stain.h"

namespace stainfold {
namespace {

constexpr double kLeastStainedShare = 0.02;
constexpr double kLeastStainedPixels = 16;
// The channels' mean densities differ by this share of their mean at least. Pure black and grey have 0; of
// AMi-Br's 2,529 tiles 13 have less: edges of scans, padded with black.
constexpr double kLeastColour = 0.1;

}  // namespace

double least_stained(std::int64_t pixels) {
  return std::max(kLeastStainedPixels, kLeastStainedShare * static_cast<double>(pixels));
}

std::int64_t grid_stride(std::int64_t height, std::int64_t width, std::int64_t most) {
  std::int64_t stride = 1;
  const auto points = [&] { return ((height - 1) / stride + 1) * ((width - 1) / stride + 1); };
  while (points() > most) stride += 2;
  return stride;
}

at::Tensor sample_grid(const at::Tensor& density, std::int64_t most) {
  const std::int64_t height = density.size(2), width = density.size(3);
  const std::int64_t stride = grid_stride(height, width, most);
  return density.slice(2, 0, height, stride).slice(3, 0, width, stride).flatten(2);
}

at::Tensor tissue_status(const at::Tensor& sample) {
  const at::Tensor stained = at::amin(sample, 1, /*keepdim=*/true).ge(kStainedDensity).to(sample.dtype());
  const at::Tensor count = stained.sum({1, 2});  // [B]
  return tissue_status(count, (sample * stained).sum(2) / count.clamp_min(1).unsqueeze(1), sample.size(2));
}

at::Tensor tissue_status(const at::Tensor& stained, const at::Tensor& mean, std::int64_t pixels) {
  const at::Tensor colour = (at::amax(mean, 1) - at::amin(mean, 1)) / mean.mean(1).clamp_min(1e-6);
  const auto code = [&](StainStatus status) {
    return at::scalar_tensor(static_cast<std::uint8_t>(status), mean.options().dtype(at::kByte));
  };
  return at::where(stained.lt(least_stained(pixels)), code(StainStatus::little_tissue),
                   at::where(colour.lt(kLeastColour), code(StainStatus::weak_stain), code(StainStatus::ok)));
}

}  // namespace stainfold
