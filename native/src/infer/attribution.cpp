#include "infer/attribution.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/autograd.h>

#include "core/checks.h"
#include "stain/optical_density.h"
#include "stain/separation.h"

namespace stainfold {
namespace {

constexpr double kGlassPixel = kGlass / 255.0;
constexpr std::int64_t kCoarse = 4;  // side of the grid that is left of a tile without detail

at::Tensor target_of(const AttributionTarget& target, const at::Tensor& z) {  // [N,d] -> [N]
  if (target.kind == AttributionTarget::Kind::norm) return z.norm(2, 1);
  const at::Tensor w = target.vector.to(z.options());
  const at::Tensor along = at::mv(z, w);
  if (target.kind == AttributionTarget::Kind::direction) return along;
  return along / (z.norm(2, 1) * w.norm()).clamp_min(1e-12);
}

at::Tensor baseline_of(AttributionOptions::Baseline baseline, const at::Tensor& pixels) {
  if (baseline == AttributionOptions::Baseline::glass) return at::full_like(pixels, kGlassPixel);
  const std::int64_t height = pixels.size(2), width = pixels.size(3);
  return at::upsample_bilinear2d(at::adaptive_avg_pool2d(pixels, {kCoarse, kCoarse}), {height, width},
                                 /*align_corners=*/false);
}

at::Tensor gradient(const at::Tensor& output, const at::Tensor& input, const at::Tensor& along = {},
                    bool keep_graph = false) {
  torch::autograd::variable_list weights;
  if (along.defined()) weights.push_back(along);
  return torch::autograd::grad({output}, {input}, weights, keep_graph, /*create_graph=*/false)[0];
}

at::Tensor leaf(const at::Tensor& x) { return x.detach().clone().requires_grad_(true); }

}  // namespace

const std::array<std::string, 4>& sensitivity_directions() {
  static const std::array<std::string, 4> names{"haematoxylin", "eosin", "gain", "gamma"};
  return names;
}

void check(const AttributionOptions& options, std::int64_t latent) {
  check_option(options.steps >= 1 && options.steps <= 4096,
               "steps must be between 1 and 4096, got " + std::to_string(options.steps));
  check_option(options.stage >= 1 && options.stage <= 4,
               "stage must be between 1 and 4, got " + std::to_string(options.stage));
  if (options.target.kind == AttributionTarget::Kind::norm) return;
  check_option(options.target.vector.defined(), "this target needs a vector");
  check_shape(options.target.vector, "the target's vector", {latent});
}

Attribution integrated_gradients(Encoder& encoder, const at::Tensor& pixels,
                                 const AttributionOptions& options) {
  const at::AutoGradMode with_gradients(true);
  const at::Tensor start = baseline_of(options.baseline, pixels), way = pixels - start;
  at::Tensor sum = at::zeros_like(pixels);
  for (std::int64_t k = 0; k < options.steps; ++k) {
    const double share = (static_cast<double>(k) + 0.5) / static_cast<double>(options.steps);
    const at::Tensor x = leaf(start + share * way);
    sum += gradient(target_of(options.target, encoder.forward(x)).sum(), x);
  }
  const at::NoGradGuard no_grad;
  const at::Tensor map = (way * sum).sum(1) / static_cast<double>(options.steps);
  return {map, target_of(options.target, encoder.forward(pixels)),
          target_of(options.target, encoder.forward(start))};
}

Attribution gradient_cam(Encoder& encoder, const at::Tensor& pixels, const AttributionOptions& options) {
  const at::AutoGradMode with_gradients(true);
  at::Tensor features;
  {
    const at::NoGradGuard no_grad;
    features = encoder.features(pixels, options.stage);
  }
  const at::Tensor activations = leaf(features);
  const at::Tensor value = target_of(options.target, encoder.embed_features(activations, options.stage));
  const at::Tensor slope = gradient(value.sum(), activations);

  const at::NoGradGuard no_grad;
  const at::Tensor weights = slope.mean({2, 3}, /*keepdim=*/true);
  const at::Tensor cam = (weights * features).sum(1, /*keepdim=*/true).relu_();
  const at::Tensor map =
      at::upsample_bilinear2d(cam.contiguous(), {pixels.size(2), pixels.size(3)}, /*align_corners=*/false);
  return {map.squeeze(1), value.detach(), at::zeros_like(value)};
}

at::Tensor manifold_tangents(const at::Tensor& pixels) {
  const at::NoGradGuard no_grad;
  const at::Tensor grey = pixels.to(at::kFloat) * 255.0;
  const at::Tensor density = optical_density(grey);
  const Separation separation = separate_stains(density);
  const at::Tensor amounts = concentrations(density, separation.stains);                  // [N,2,H,W]
  const at::Tensor parts = separation.stains.transpose(1, 2).unsqueeze(3).unsqueeze(4) *  // [N,2,3,1,1]
                           amounts.unsqueeze(2);                                          // [N,2,3,H,W]
  // The residual's scale is the geometric mean of both.
  const at::Tensor changes = parts + 0.5 * (density - parts.sum(1)).unsqueeze(1);
  const at::Tensor stained =
      separation.status.ne(static_cast<std::int64_t>(SeparationStatus::blank)).view({-1, 1, 1, 1, 1});
  // Light is (I+1)/256, and a pixel I/255.
  const at::Tensor light = (grey + 1) / 255.0;
  const at::Tensor by_stain = changes * (light.neg() * grey.lt(255)).unsqueeze(1) * stained;
  const at::Tensor by_gain = light * grey.lt(255), by_gamma = light * ((grey + 1) / kGreyLevels).log();
  return at::cat({by_stain, by_gain.unsqueeze(1), by_gamma.unsqueeze(1)}, 1).to(pixels.scalar_type());
}

Sensitivity sensitivity(Encoder& encoder, const at::Tensor& pixels) {
  const at::AutoGradMode with_gradients(true);
  const at::Tensor tangents = manifold_tangents(pixels);
  const std::int64_t directions = tangents.size(1);
  const at::Tensor x = leaf(pixels);
  const at::Tensor z = encoder.forward(x);
  // J u from two products with the transposed: v -> J^T v is linear, so its own transposed is J.
  const at::Tensor v = at::zeros_like(z).requires_grad_(true);
  const at::Tensor pulled =
      torch::autograd::grad({z}, {x}, {v}, /*retain_graph=*/true, /*create_graph=*/true)[0];
  std::vector<at::Tensor> lengths, maps;
  for (std::int64_t k = 0; k < directions; ++k) {
    const at::Tensor tangent = tangents.select(1, k);
    const at::Tensor moved = gradient(pulled, v, tangent, /*keep_graph=*/true).detach();  // J u [N,d]
    const at::Tensor length = moved.norm(2, 1);
    const at::Tensor unit = moved / length.clamp_min(1e-20).unsqueeze(1);
    // |J u| = (J^T unit) . u, a sum over pixels.
    maps.push_back((gradient(z, x, unit, /*keep_graph=*/true) * tangent).sum(1).detach());
    lengths.push_back(length);
  }
  return {at::stack(lengths, 1), z.detach().norm(2, 1), at::stack(maps, 1)};
}

}  // namespace stainfold
