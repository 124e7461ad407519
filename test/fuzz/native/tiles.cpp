// The path of tiles: pixels of any size and colour through separation, normalisation, statistics and quality.
#include <cmath>

#include "fuzz/native/tensors.h"
#include "stainfold/audit.h"
#include "stainfold/slide.h"
#include "stainfold/stain.h"

namespace {

using namespace stainfold;

StainOptions stain_options(fuzz::Input& input) {
  static const std::vector<StainSet> sets = stain_sets();
  StainOptions options;
  options.method = static_cast<StainMethod>(input.between(0, 4));
  options.stains =
      sets[static_cast<std::size_t>(input.between(0, static_cast<std::int64_t>(sets.size()) - 1))].name;
  options.sampled_pixels = input.flag() ? input.take<std::int32_t>() : 1 << 20;
  options.clamp = input.flag() ? input.number() : 3;
  return options;
}

void check_pixels(const at::Tensor& pixels, const at::Tensor& tiles) {
  fuzz::hold(pixels.scalar_type() == at::kByte && pixels.sizes() == tiles.sizes(), "pixels of another shape");
}

void normalise(fuzz::Input& input, const StainOptions& options, const at::Tensor& tiles) {
  StainFit fit = fit_stains(tiles, options);
  const std::int64_t width = fit_width(options);
  fuzz::hold(fit.values.size(0) == tiles.size(0) && fit.values.size(1) == width, "a fit of another width");
  if (input.flag()) fit = {fuzz::numbers(input, {1, width}), at::zeros({1}, at::kByte)};
  const at::Tensor reference = input.flag() ? fuzz::numbers(input, {width}) : fit.values[0].contiguous();
  check_pixels(normalize_stains(tiles, fit, reference, options).pixels, tiles);
  if (options.method <= StainMethod::ruifrok) {
    fuzz::hold(median_fit(fit, options).values.size(1) == width, "a median of another width");
  }
}

void separate(const StainOptions& options, const at::Tensor& tiles) {
  if (options.method > StainMethod::ruifrok) return;
  const SeparatedTiles separated = separate_tiles(tiles, options);
  fuzz::hold(separated.concentrations.isfinite().all().item<bool>(), "a concentration that is not finite");
  fuzz::hold(stain_images(separated).scalar_type() == at::kByte, "images of another type");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input input(data, size);
  const std::int64_t work = input.between(0, 4);
  const StainOptions options = stain_options(input);
  const double density = input.number();
  const std::int64_t blocks = input.between(0, 300), stride = input.between(1, 40);
  const at::Tensor tiles =
      fuzz::bytes_tensor(input, {input.between(1, 3), input.between(1, 40), input.between(1, 40), 3});
  fuzz::checked([&] {
    if (work == 0) normalise(input, options, tiles);
    if (work == 1) separate(options, tiles);
    if (work == 2)
      fuzz::hold(tile_quality(tiles, density, blocks).isfinite().all().item<bool>(), "no quality");
    if (work == 3) fuzz::hold(sample_pixels(tiles, stride).size(1) == 3, "samples of another shape");
    if (work == 4) audit_tiles(tiles);
  });
  return 0;
}
