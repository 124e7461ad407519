#include "stainfold/manifold.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <cstdint>
#include <string>
#include <vector>

#include "core/checks.h"
#include "core/upload.h"
#include "stain/geometry.h"
#include "stain/random.h"
#include "stain/recipe.h"
#include "stain/virtual_lab.h"

namespace stainfold {
namespace {

// Streams of a seed: the labs have one of their own, each step another.
constexpr std::uint64_t kLabStream = 0x6c616273;   // "labs"
constexpr std::uint64_t kStepStream = 0x73746570;  // "step"

// All that a step draws, on the host and in a fixed order.
struct Draws {
  at::Tensor symmetry;          // [B] int64
  at::Tensor lab;               // [V] int64
  at::Tensor theta;             // [V,P]
  std::vector<ViewDraw> views;  // one a transform
};

// uint8 [B,H,W,3] -> grey levels, float32 [B,3,H,W] contiguous
at::Tensor planes_of(const at::Tensor& tiles) {
  return tiles.permute({0, 3, 1, 2})
      .to(at::kFloat, /*non_blocking=*/false, /*copy=*/true, at::MemoryFormat::Contiguous);
}

// The lab that each row lies nearest to, in units of the labs' own spread.
at::Tensor nearest_lab(const at::Tensor& theta, const at::Tensor& labs) {  // [V,P], [G,P] -> [V] int64
  if (labs.size(0) == 1) return at::zeros({theta.size(0)}, at::kLong);
  const at::Tensor unit = labs.std(0).clamp_min(1e-6);
  return at::cdist(theta / unit, labs / unit).argmin(1);
}

Draws draw(const ManifoldOptions& options, const Recipe& recipe, const at::Tensor& labs, std::int64_t tiles,
           std::int64_t rows, at::Generator generator) {
  Draws draws;
  draws.symmetry = at::randint(8, {tiles}, generator, at::kLong);
  draws.lab = at::randint(options.labs, {rows}, generator, at::kLong);
  const at::Tensor own = recipe.draw(rows, generator);
  if (options.fresh) {
    draws.theta = own;
    draws.lab = nearest_lab(own, labs);
  } else {
    draws.theta = labs.index_select(0, draws.lab) + options.jitter * own;
  }
  draws.views = recipe.draw_views(rows, generator);
  return draws;
}

}  // namespace

Manifold::Manifold(const ManifoldOptions& options, std::uint64_t seed) : options_(options), seed_(seed) {
  check(options);
  recipe_ = std::make_shared<const Recipe>(options.transforms.empty() ? he_transforms(options)
                                                                      : options.transforms);
  labs_ = recipe_->draw(options.labs, seeded_generator(seed, kLabStream));
}

Views Manifold::render(const at::Tensor& tiles, std::int64_t views, std::uint64_t step) const {
  check_tiles(tiles);
  check_option(views >= 1, "views must be >= 1, got " + std::to_string(views));
  const at::NoGradGuard no_grad;
  const std::int64_t count = tiles.size(0), rows = views * count;
  const Draws draws =
      draw(options_, *recipe_, labs_, count, rows, seeded_generator(mix(seed_, kStepStream), step));

  const at::Tensor turned = options_.geometry ? apply_symmetry(tiles, draws.symmetry) : tiles;
  const at::Tensor grey = planes_of(turned);
  Views result;
  result.pixels = recipe_->render(grey, draws.theta, draws.views, turned);
  result.source = grey.mul_(1.0 / 255.0);
  result.lab = upload(draws.lab, tiles.device());
  return result;
}

at::Tensor Manifold::render_lab(const at::Tensor& tiles, std::int64_t lab) const {
  check_tiles(tiles);
  check_option(
      lab >= 0 && lab < options_.labs,
      "lab must be between 0 and " + std::to_string(options_.labs - 1) + ", got " + std::to_string(lab));
  const at::NoGradGuard no_grad;
  const at::Tensor theta = labs_.narrow(0, lab, 1).expand({tiles.size(0), -1});
  const at::Tensor pixels = recipe_->render(planes_of(tiles), theta, {}, tiles);
  return pixels.mul(255).round_().to(at::kByte).permute({0, 2, 3, 1}).contiguous();
}

}  // namespace stainfold
