#include "stain/recipe.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "core/checks.h"
#include "core/upload.h"
#include "stain/appearance.h"
#include "stain/device_pixels.h"
#include "stain/focus.h"
#include "stain/intensity.h"
#include "stain/lab_template.h"
#include "stain/optical_density.h"
#include "stain/parameters.h"
#include "stain/recompression.h"
#include "stain/reference_stains.h"
#include "stain/stained_pixels.h"
#include "stain/tile_pixels.h"
#include "stain/view_passes.h"

namespace stainfold {
namespace {

using namespace transform;

// A picture on its way through the recipe: one row a tile until a transform makes them differ between views.
struct Canvas {
  at::Tensor grey;    // [B,3,H,W] grey levels, until the first transform has been applied
  at::Tensor tiles;   // [B,H,W,3] uint8, the same; undefined where `grey` is of no tiles
  at::Tensor pixels;  // [B or V,3,H,W] in [0,1] from then on
  std::int64_t views;
  ViewPasses passes = {};                          // on the CPU, what `pixels` still waits for
  std::optional<on_cuda::Painting> painting = {};  // on CUDA, what `pixels` will be

  bool by_view() const { return grey.is_cpu() && grey.scalar_type() == at::kFloat; }
  bool begun() const { return pixels.defined() || painting; }
  bool can_be_painted() const { return !begun() && tiles.defined() && tiles.is_cuda(); }
  at::Tensor levels() { return begun() ? settled() * 255 : grey; }
  // [V,3,H,W], free to be overwritten.
  at::Tensor& expanded() {
    if (!begun()) pixels = (grey / 255).repeat({views / grey.size(0), 1, 1, 1});
    return settled();
  }
  // As `expanded`, but what is waited for is waited for.
  void prepare() {
    if (passes.empty()) expanded();
  }

 private:
  at::Tensor& settled() {
    if (painting) pixels = on_cuda::painted(tiles, *std::exchange(painting, std::nullopt));
    passes.apply(pixels);
    return pixels;
  }
};

// Replaces the rows `index` of `pixels` by what `change` makes of them and of their entry in `parameter`.
template <typename Change>
void update(at::Tensor& pixels, const at::Tensor& index, const at::Tensor& parameter, const Change& change) {
  if (index.numel() == 0) return;
  const at::Tensor rows = index.to(pixels.device());
  pixels.index_copy_(0, rows, change(pixels.index_select(0, rows), parameter.index_select(0, index)));
}

// Place in a pass of the logarithm of light: stain, then gain, then gamma are one affine map of it.
int optical_order(const Transform& transform) {
  if (std::holds_alternative<Stain>(transform) || std::holds_alternative<Hed>(transform)) return 1;
  if (std::holds_alternative<Gain>(transform)) return 2;
  return std::holds_alternative<Gamma>(transform) ? 3 : 0;
}

// The neighbouring transforms that one pass does.
struct OpticalPass {
  const Transform* stain = nullptr;
  at::Tensor host_theta;                        // of the stain, on the CPU
  at::Tensor stain_theta, log_gain, log_gamma;  // [V,...] on the device; undefined: no change

  void apply(Canvas& canvas) const {
    const bool painted = canvas.can_be_painted();
    const at::Tensor grey = canvas.levels().contiguous();
    const at::TensorOptions options = grey.options();
    const at::Tensor gain = log_gain.defined() ? log_gain : at::zeros({canvas.views, 3}, options);
    const at::Tensor gamma = log_gamma.defined() ? log_gamma : at::zeros({canvas.views, 1}, options);
    if (painted) {
      canvas.painting = on_cuda::Painting{curve_of(map(canvas, grey, {}), gain, gamma), {}, {}};
      return;
    }
    if (!canvas.by_view()) {
      const at::Tensor density = optical_density(grey);
      canvas.pixels = render_curve(density, map(canvas, grey, density), gain, gamma);
      return;
    }
    canvas.passes.render(curve_of(map(canvas, grey, {}), gain, gamma), grey);
    canvas.pixels = at::empty({canvas.views, 3, grey.size(2), grey.size(3)}, options);
  }

  // density: of `grey`, or undefined: then only the pixels that are looked at get one.
  StainMap map(const Canvas& canvas, const at::Tensor& grey, const at::Tensor& density) const {
    if (stain == nullptr) return no_stain_change(canvas.views, grey.options());
    if (std::holds_alternative<Hed>(*stain)) return hed_map(stain_theta);
    const Stain& options = std::get<Stain>(*stain);
    if (density.defined()) return stain_map(separate_stains_like(options, density), stain_theta, host_theta);
    if (canvas.tiles.defined() && !canvas.begun()) {
      const StainedMoments moments = stained_moments(canvas.tiles, kSampledPixels);
      return stain_map(
          held_to_reference(options, separate_tile_stains(canvas.tiles, moments, kSampledPixels)),
          stain_theta, host_theta);
    }
    const std::int64_t stride = grid_stride(grey.size(2), grey.size(3), kSampledPixels);
    const at::Tensor sample = grey.slice(2, 0, grey.size(2), stride).slice(3, 0, grey.size(3), stride);
    return stain_map(separate_stains_like(options, optical_density(sample)), stain_theta);
  }
};

bool concerns(const ViewDraw& draw) { return draw.rows.defined() && draw.rows.numel() > 0; }

struct Apply {
  Canvas& canvas;
  const at::Tensor& theta;  // [V,own] on the device
  const ViewDraw& draw;

  void operator()(const Background&) const { add_background(canvas.expanded(), theta); }
  void operator()(const Window&) const { change_window(canvas.expanded(), theta); }
  void operator()(const BiasField&) const { multiply_bias(canvas.expanded(), theta); }
  void operator()(const Noise& noise) const {
    at::Tensor& pixels = canvas.expanded();
    const at::Tensor seeds =
        draw.value.defined() ? draw.value.to(pixels.device()) : at::arange(canvas.views, theta.device());
    add_noise(pixels, noise, theta.abs(), seeds);
  }
  void operator()(const LabTemplate&) const {
    canvas.pixels = to_lab_template(canvas.begun() ? canvas.expanded() : canvas.grey / 255, theta);
  }
  void operator()(const Blur& blur) const {
    if (canvas.by_view()) {
      canvas.prepare();
      if (draw.rows.defined()) canvas.passes.refocus(draw.rows, draw.value, blur.sigma);
      return;
    }
    if (canvas.painting) {
      if (!concerns(draw)) return;
      const FocusProfiles focus = focus_profiles(draw.value.index_select(0, draw.rows), blur.sigma);
      if (canvas.painting->takes(focus)) {
        canvas.painting->focused = {draw.rows, focus};
        return;
      }
    }
    at::Tensor& pixels = canvas.expanded();
    if (draw.rows.defined()) {
      update(pixels, draw.rows, draw.value, [&](const at::Tensor& some, const at::Tensor& amount) {
        return refocus(some, amount, blur.sigma);
      });
    }
  }
  void operator()(const Jpeg&) const {
    if (canvas.by_view()) {
      canvas.prepare();
      if (draw.rows.defined()) canvas.passes.recompress(draw.rows, draw.value);
      return;
    }
    if (canvas.painting && !canvas.painting->saved) {
      if (concerns(draw)) {
        canvas.painting->saved = {draw.rows, quantisation_steps(draw.value.index_select(0, draw.rows))};
      }
      return;
    }
    at::Tensor& pixels = canvas.expanded();
    if (draw.rows.defined()) update(pixels, draw.rows, draw.value, recompress);
  }
  template <typename Optical>
  void operator()(const Optical&) const {}  // an OpticalPass does these
};

}  // namespace

Recipe::Recipe(std::vector<Transform> transforms) : transforms_(std::move(transforms)) {
  check_option(!transforms_.empty(), "manifold.transforms must hold at least one transform, got none");
  check_option(transforms_.size() <= 32, "manifold.transforms must hold at most 32 transforms, got " +
                                             std::to_string(transforms_.size()));
  for (std::size_t i = 0; i < transforms_.size(); ++i) {
    check(transforms_[i], i);
    places_.push_back({columns_, shared_});
    const Columns columns = columns_of(transforms_[i]);
    columns_ += columns.own;
    shared_ += columns.shared;
  }
}

at::Tensor Recipe::draw(std::int64_t count, at::Generator generator) const {
  const at::Tensor own = at::randn({count, columns_}, generator, at::kFloat);
  const at::Tensor shared = at::randn({count, shared_}, generator, at::kFloat);
  std::vector<at::Tensor> drawn;
  for (std::size_t i = 0; i < transforms_.size(); ++i) {
    const Columns columns = columns_of(transforms_[i]);
    drawn.push_back(parameters_of(transforms_[i], own.narrow(1, places_[i].own, columns.own),
                                  shared.narrow(1, places_[i].shared, columns.shared)));
  }
  return at::cat(drawn, 1);
}

std::vector<ViewDraw> Recipe::draw_views(std::int64_t rows, at::Generator generator) const {
  std::vector<ViewDraw> draws(transforms_.size());
  for (std::size_t i = 0; i < transforms_.size(); ++i) {
    if (std::holds_alternative<Blur>(transforms_[i])) {
      draws[i].value = at::rand({rows}, generator, at::kFloat) * 2 - 1;
    } else if (const auto* jpeg = std::get_if<Jpeg>(&transforms_[i])) {
      draws[i].value = at::randint(jpeg->quality_min, 101, {rows}, generator, at::kLong);
    } else if (std::holds_alternative<Noise>(transforms_[i])) {
      draws[i].value = at::randint(std::int64_t{1} << 31, {rows}, generator, at::kLong);
    }
  }
  // Focus and re-compression differ between labs, but between the slides of a lab too, and they are the dear
  // part of a rendering: each is done to some views only, chosen afresh in every step.
  const auto share = [&](double probability) {
    return at::rand({rows}, generator, at::kFloat) < probability;
  };
  for (std::size_t i = 0; i < transforms_.size(); ++i) {
    if (const auto* blur = std::get_if<Blur>(&transforms_[i])) {
      draws[i].rows = share(blur->sigma > 0 ? blur->share : 0).nonzero().squeeze(1);
    } else if (const auto* jpeg = std::get_if<Jpeg>(&transforms_[i])) {
      draws[i].rows = share(jpeg->share).logical_and(draws[i].value < 100).nonzero().squeeze(1);
    }
  }
  return draws;
}

at::Tensor Recipe::render(const at::Tensor& grey, const at::Tensor& theta, const std::vector<ViewDraw>& draws,
                          const at::Tensor& tiles) const {
  Canvas canvas{grey, tiles, {}, theta.size(0)};
  const at::Tensor placed = upload(theta, grey.device());
  OpticalPass pass;
  int reached = 0;  // of the pending pass; 0: there is none
  const auto finish = [&] {
    if (reached == 0) return;
    pass.apply(canvas);
    pass = {};
    reached = 0;
  };
  for (std::size_t i = 0; i < transforms_.size(); ++i) {
    const at::Tensor own = placed.narrow(1, places_[i].own, columns_of(transforms_[i]).own);
    const int order = optical_order(transforms_[i]);
    if (order <= reached) finish();
    if (order == 0) {
      static const ViewDraw none;
      std::visit(Apply{canvas, own, draws.empty() ? none : draws[i]}, transforms_[i]);
      continue;
    }
    reached = order;
    if (order == 1) {
      pass.stain = &transforms_[i];
      pass.stain_theta = own;
      pass.host_theta = theta.narrow(1, places_[i].own, columns_of(transforms_[i]).own);
    } else {
      (order == 2 ? pass.log_gain : pass.log_gamma) = own;
    }
  }
  finish();
  return canvas.expanded();
}

}  // namespace stainfold
