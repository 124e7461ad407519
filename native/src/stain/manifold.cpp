#include "stainfold/manifold.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <cstdint>
#include <string>

#include "core/checks.h"
#include "stain/appearance.h"
#include "stain/focus.h"
#include "stain/geometry.h"
#include "stain/optical_density.h"
#include "stain/random.h"
#include "stain/recompression.h"
#include "stain/separation.h"
#include "stain/virtual_lab.h"

namespace stainfold {
namespace {

// Streams of a seed: the labs have one of their own, each step another.
constexpr std::uint64_t kLabStream = 0x6c616273;   // "labs"
constexpr std::uint64_t kStepStream = 0x73746570;  // "step"

// Focus and re-compression differ between labs, but between the slides of a lab too, and they are the dear
// part of a rendering: each is done to every second view, chosen afresh in every step.
constexpr double kRefocusedShare = 0.5;
constexpr double kRecompressedShare = 0.5;

// All that a step draws, on the host and in a fixed order.
struct Draws {
  at::Tensor symmetry;                 // [B] int64
  at::Tensor lab;                      // [V] int64
  at::Tensor theta;                    // [V,lab::kColumns]
  at::Tensor focus;                    // [V] in [-1,1]
  at::Tensor quality;                  // [V] int64
  at::Tensor refocused, recompressed;  // indices of the views concerned
};

// uint8 [B,H,W,3] -> grey levels, float32 [B,3,H,W] contiguous
at::Tensor planes_of(const at::Tensor& tiles) {
  return tiles.permute({0, 3, 1, 2})
      .to(at::kFloat, /*non_blocking=*/false, /*copy=*/true, at::MemoryFormat::Contiguous);
}

Draws draw(const ManifoldOptions& options, const at::Tensor& labs, std::int64_t tiles, std::int64_t rows,
           at::Generator generator) {
  Draws draws;
  draws.symmetry = at::randint(8, {tiles}, generator, at::kLong);
  draws.lab = at::randint(options.labs, {rows}, generator, at::kLong);
  draws.theta = labs.index_select(0, draws.lab) + options.jitter * draw_labs(options, rows, generator);
  draws.focus = at::rand({rows}, generator, at::kFloat) * 2 - 1;
  draws.quality = at::randint(options.jpeg_quality_min, 101, {rows}, generator, at::kLong);
  const auto share = [&](double probability) {
    return at::rand({rows}, generator, at::kFloat) < probability;
  };
  draws.refocused = share(options.blur > 0 ? kRefocusedShare : 0).nonzero().squeeze(1);
  draws.recompressed = share(kRecompressedShare).logical_and(draws.quality < 100).nonzero().squeeze(1);
  return draws;
}

// Replaces the rows `index` of `pixels` by what `change` makes of them and of their entry in `parameter`.
template <typename Change>
void update(at::Tensor& pixels, const at::Tensor& index, const at::Tensor& parameter, const Change& change) {
  // A few views at a time stay in a CPU's cache; a GPU wants them all.
  const std::int64_t piece = pixels.device().is_cpu() ? 8 : std::max<std::int64_t>(index.numel(), 1);
  for (const at::Tensor& part : index.split(piece)) {
    if (part.numel() == 0) continue;
    const at::Tensor rows = part.to(pixels.device());
    pixels.index_copy_(0, rows, change(pixels.index_select(0, rows), parameter.index_select(0, part)));
  }
}

}  // namespace

Manifold::Manifold(const ManifoldOptions& options, std::uint64_t seed) : options_(options), seed_(seed) {
  check(options);
  labs_ = draw_labs(options, options.labs, seeded_generator(seed, kLabStream));
}

Views Manifold::render(const at::Tensor& tiles, std::int64_t views, std::uint64_t step) const {
  check_tiles(tiles);
  check_option(views >= 1, "views must be >= 1, got " + std::to_string(views));
  const at::NoGradGuard no_grad;
  const std::int64_t count = tiles.size(0), rows = views * count;
  const Draws draws = draw(options_, labs_, count, rows, seeded_generator(mix(seed_, kStepStream), step));

  const at::Tensor grey = planes_of(options_.geometry ? apply_symmetry(tiles, draws.symmetry) : tiles);
  const at::Tensor density = optical_density(grey);

  Views result;
  result.pixels = render_appearance(density, separate_stains(density), draws.theta);
  update(result.pixels, draws.refocused, draws.focus,
         [&](const at::Tensor& pixels, const at::Tensor& amount) {
           return refocus(pixels, amount, options_.blur);
         });
  update(result.pixels, draws.recompressed, draws.quality, recompress);
  result.source = grey.mul_(1.0 / 255.0);
  result.lab = draws.lab.to(tiles.device());
  return result;
}

at::Tensor Manifold::render_lab(const at::Tensor& tiles, std::int64_t lab) const {
  check_tiles(tiles);
  check_option(
      lab >= 0 && lab < options_.labs,
      "lab must be between 0 and " + std::to_string(options_.labs - 1) + ", got " + std::to_string(lab));
  const at::NoGradGuard no_grad;
  const at::Tensor density = optical_density(planes_of(tiles));
  const at::Tensor theta = labs_.narrow(0, lab, 1).expand({tiles.size(0), -1});
  const at::Tensor pixels = render_appearance(density, separate_stains(density), theta);
  return pixels.mul(255).round_().to(at::kByte).permute({0, 2, 3, 1}).contiguous();
}

}  // namespace stainfold
