#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <cmath>

#include "core/checks.h"
#include "stain/cielab.h"
#include "stain/grey_histogram.h"
#include "stain/optical_density.h"
#include "stain/separation.h"
#include "stain/stained_pixels.h"
#include "stain/tile_pixels.h"
#include "stain/tissue_pixels.h"
#include "stain/unmixing.h"
#include "stainfold/stain.h"

namespace stainfold {
namespace {

constexpr auto kOk = static_cast<std::int64_t>(StainStatus::ok);

void check_stain_options(const StainOptions& options) {
  check_option(options.sampled_pixels >= 1,
               "sampled_pixels must be >= 1, got " + std::to_string(options.sampled_pixels));
  check_option(std::isfinite(options.clamp) && options.clamp >= 1,
               "clamp must be >= 1, got " + std::to_string(options.clamp));
}

at::Tensor lab_planes(const at::Tensor& tiles) { return cielab_of_srgb(grey_planes(tiles).mul_(1.0 / 255)); }

// A tile and its change of scale, held within [1/clamp, clamp].
struct Scale {
  at::Tensor factor;   // [B,S] float32
  at::Tensor clamped;  // [B] bool
};

Scale scale_to(const at::Tensor& source, const at::Tensor& reference, double clamp) {  // [B,S], [S] float64
  const at::Tensor wanted = reference / source.clamp_min(1e-9);
  const at::Tensor factor = wanted.clamp(1 / clamp, clamp);
  return {factor.to(at::kFloat), factor.ne(wanted).any(1)};
}

struct Change {
  at::Tensor pixels;   // [B,H,W,3] uint8
  at::Tensor clamped;  // [B] bool
  bool kept = false;   // tiles that are not usable are in `pixels` as they came
};

Change restain(const at::Tensor& tiles, const at::Tensor& source, const at::Tensor& reference,
               const at::Tensor& usable, const StainOptions& options) {
  const std::int64_t batch = tiles.size(0), stains = reference.size(0) / 4;
  const auto matrix_of = [&](const at::Tensor& fit) {
    return fit.narrow(1, 0, 3 * stains).view({-1, 3, stains}).to(at::kFloat);
  };
  const Scale scale =
      scale_to(source.narrow(1, 3 * stains, stains), reference.narrow(0, 3 * stains, stains), options.clamp);
  const at::Tensor from = matrix_of(source);
  const at::Tensor to = matrix_of(reference.unsqueeze(0)) * scale.factor.unsqueeze(1);  // M' diag(a) [B,3,S]
  if (options.method != StainMethod::vahadane && read_from_bytes(tiles)) {
    return {mapped_tiles(tiles, at::bmm(to, least_squares(from)), usable), scale.clamped, true};
  }
  const at::Tensor density = optical_density(grey_planes(tiles));
  const at::Tensor planes = density.flatten(2);
  const at::Tensor restained = options.method == StainMethod::vahadane
                                   ? at::bmm(to, measured(density, from, options.method).flatten(2))
                                   : at::bmm(at::bmm(to, least_squares(from)), planes);
  at::Tensor grey = restained.neg().exp_().mul_(kGlass);
  return {grey_tiles(grey.view({batch, 3, tiles.size(1), tiles.size(2)})), scale.clamped};
}

Change recolour(const at::Tensor& tiles, const at::Tensor& source, const at::Tensor& reference,
                const at::Tensor& usable, const StainOptions& options) {
  const auto planes = [](const at::Tensor& row) { return row.to(at::kFloat).unsqueeze(-1).unsqueeze(-1); };
  const Scale scale = scale_to(source.narrow(1, 3, 3), reference.narrow(0, 3, 3), options.clamp);
  if (read_from_bytes(tiles)) {
    const at::Tensor shift = reference.narrow(0, 0, 3) - source.narrow(1, 0, 3) * scale.factor;
    return {moved_lab_tiles(tiles, scale.factor, shift, usable), scale.clamped, true};
  }
  const at::Tensor lab = (lab_planes(tiles) - planes(source.narrow(1, 0, 3)))
                             .mul_(planes(scale.factor))
                             .add_(planes(reference.narrow(0, 0, 3)));
  return {grey_tiles(srgb_of_cielab(lab).mul_(255)), scale.clamped};
}

Change rematch(const at::Tensor& tiles, const at::Tensor& source, const at::Tensor& reference) {
  const at::Tensor table =
      matching_levels(source.view({-1, 3, 256}), reference.view({3, 256})).round().to(at::kByte);
  const at::Tensor level = tiles.permute({0, 3, 1, 2}).flatten(2).to(at::kLong);  // [B,3,H*W]
  const at::Tensor pixels = table.gather(2, level).view({tiles.size(0), 3, tiles.size(1), tiles.size(2)});
  return {pixels.permute({0, 2, 3, 1}).contiguous(),
          at::zeros({tiles.size(0)}, tiles.options().dtype(at::kBool))};
}

// Of reinhard and histogram.
at::Tensor colours_of(const at::Tensor& tiles, const StainOptions& options) {  // -> [B,P] float64
  const at::Tensor tissue = options.tissue_only ? tissue_weight(tiles).ge(0.5) : at::Tensor();
  if (options.method == StainMethod::histogram) return grey_histogram(tiles, tissue).flatten(1);
  if (!tissue.defined() && read_from_bytes(tiles)) return tile_lab_moments(tiles);
  const at::Tensor lab = lab_planes(tiles).flatten(2);
  if (tissue.defined()) return tissue_lab_moments(lab, tissue.flatten(1));
  // One pixel has no deviation; it has too little tissue as well.
  const std::int64_t correction = lab.size(2) > 1 ? 1 : 0;
  return at::cat({lab.mean(2), lab.std(at::IntArrayRef{2}, correction)}, 1).to(at::kDouble);
}

}  // namespace

std::int64_t fit_width(const StainOptions& options) {
  if (options.method == StainMethod::reinhard) return 6;
  if (options.method == StainMethod::histogram) return 3 * 256;
  return options.method == StainMethod::ruifrok ? 4 * stain_matrix(options.stains).size(1) : 8;
}

at::Tensor published_macenko() {
  return at::tensor({0.5626, 0.2159, 0.7201, 0.8012, 0.4062, 0.5581, 1.9705, 1.0308}, at::kDouble);
}

StainFit fit_stains(const at::Tensor& tiles, const StainOptions& options) {
  check_tiles(tiles);
  check_stain_options(options);
  const at::NoGradGuard no_grad;
  if (read_from_bytes(tiles)) {
    if (options.method == StainMethod::macenko || options.method == StainMethod::ruifrok) {
      const EstimatedStains stains = estimate_tile_stains(tiles, options);
      const at::Tensor peaks = tile_peaks(tiles, least_squares(stains.matrix));
      return {at::cat({stains.matrix.flatten(1), peaks}, 1).to(at::kDouble), stains.status};
    }
    if (options.method != StainMethod::vahadane) {
      const StainedMean stained = stained_mean(tiles, options.sampled_pixels);
      return {colours_of(tiles, options), tissue_status(stained.counted, stained.mean, stained.pixels)};
    }
  }
  const at::Tensor density = optical_density(grey_planes(tiles));
  if (has_stains(options.method)) {
    const EstimatedStains stains = estimate_stains(density, options);
    const at::Tensor peaks = peak_concentrations(measured(density, stains.matrix, options.method));
    return {at::cat({stains.matrix.flatten(1), peaks}, 1).to(at::kDouble), stains.status};
  }
  return {colours_of(tiles, options), tissue_status(sample_grid(density, options.sampled_pixels))};
}

StainFit median_fit(const StainFit& fits, const StainOptions& options) {
  check_option(has_stains(options.method), "this method has no stains to take the median of");
  const std::int64_t width = fit_width(options), stains = width / 4;
  check_dtype(fits.values, "fits", {at::kDouble});
  check_shape(fits.values, "fits", {-1, width});
  check_shape(fits.status, "fits' status", {fits.values.size(0)});
  if (fits.values.size(0) == 0) throw Error(ErrorCode::shape, "fits must not be empty");
  const at::Tensor status = fits.status.cpu(), usable = status.eq(kOk);
  const bool some = usable.any().item<bool>();
  const at::Tensor values = fits.values.cpu();
  const at::Tensor sorted =
      std::get<0>((some ? values.index_select(0, usable.nonzero().squeeze(1)) : values).sort(0));
  const std::int64_t rows = sorted.size(0);
  const at::Tensor middle = (sorted[(rows - 1) / 2] + sorted[rows / 2]) / 2;
  at::Tensor matrix = middle.narrow(0, 0, 3 * stains).view({3, stains});
  matrix = matrix / matrix.norm(2, 0, /*keepdim=*/true).clamp_min(1e-12);
  const at::Tensor most = at::bincount(status.to(at::kLong)).argmax().to(at::kByte).view({1});
  return {at::cat({matrix.flatten(), middle.narrow(0, 3 * stains, stains)}).unsqueeze(0),
          some ? at::zeros({1}, at::kByte) : most};
}

NormalizedTiles normalize_stains(const at::Tensor& tiles, const StainFit& source, const at::Tensor& reference,
                                 const StainOptions& options) {
  check_tiles(tiles);
  check_stain_options(options);
  const std::int64_t width = fit_width(options), batch = tiles.size(0);
  check_dtype(source.values, "source", {at::kDouble});
  check_dtype(reference, "reference", {at::kDouble});
  check_shape(reference, "reference", {width});
  const std::int64_t rows = source.values.dim() == 2 && source.values.size(0) == 1 ? 1 : batch;
  check_shape(source.values, "source", {rows, width});
  check_shape(source.status, "source's status", {rows});
  const at::NoGradGuard no_grad;
  const at::Tensor values = source.values.to(tiles.device()).expand({batch, -1});
  const at::Tensor fitted = source.status.to(tiles.device()).expand({batch});
  const at::Tensor target = reference.to(tiles.device());

  const at::Tensor usable = fitted.eq(kOk);
  Change change = options.method == StainMethod::reinhard ? recolour(tiles, values, target, usable, options)
                  : options.method == StainMethod::histogram
                      ? rematch(tiles, values, target)
                      : restain(tiles, values, target, usable, options);
  if (options.tissue_only && !has_stains(options.method)) change.pixels = tissue_over(change.pixels, tiles);
  const at::Tensor clamped =
      at::scalar_tensor(static_cast<std::uint8_t>(StainStatus::clamped), fitted.options());
  return {change.kept ? change.pixels : at::where(usable.view({-1, 1, 1, 1}), change.pixels, tiles),
          at::where(usable.logical_and(change.clamped), clamped, fitted)};
}

SeparatedTiles separate_tiles(const at::Tensor& tiles, const StainOptions& options) {
  check_tiles(tiles);
  check_stain_options(options);
  check_option(has_stains(options.method), "this method has no stains to separate");
  const at::NoGradGuard no_grad;
  const at::Tensor density = optical_density(grey_planes(tiles));
  const EstimatedStains stains = estimate_stains(density, options);
  return {stains.matrix, measured(density, stains.matrix, options.method), stains.status};
}

at::Tensor stain_images(const SeparatedTiles& separated) {
  const at::Tensor stains = separated.stains.transpose(1, 2);  // [B,S,3]
  const at::Tensor density = separated.concentrations.unsqueeze(4) * stains.unsqueeze(2).unsqueeze(2);
  return density.neg().exp_().mul_(kGlass).clamp_(0, 255).to(at::kByte);
}

at::Tensor sample_pixels(const at::Tensor& tiles, std::int64_t stride) {
  check_tiles(tiles);
  check_option(stride >= 1, "stride must be >= 1, got " + std::to_string(stride));
  return tiles.slice(1, 0, tiles.size(1), stride).slice(2, 0, tiles.size(2), stride).reshape({-1, 3});
}

}  // namespace stainfold
