#include "stain/view_passes.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <utility>

#include "core/parallel.h"
#include "stain/focus.h"
#include "stain/recompression.h"
#include "stain/simd/view_loops.h"

namespace stainfold {
namespace {

// Where each view stands among the rows that a pass concerns; -1 for the others.
std::vector<std::int64_t> places_of(const at::Tensor& rows, std::int64_t views) {
  std::vector<std::int64_t> places(static_cast<std::size_t>(views), -1);
  const at::Tensor listed = rows.contiguous();
  for (std::int64_t i = 0; i < listed.numel(); ++i) {
    places[static_cast<std::size_t>(listed.const_data_ptr<std::int64_t>()[i])] = i;
  }
  return places;
}

float* of_size(std::vector<float>& scratch, std::int64_t floats) {
  if (scratch.size() < static_cast<std::size_t>(floats)) scratch.resize(static_cast<std::size_t>(floats));
  return scratch.data();
}

}  // namespace

void ViewPasses::render(const Curve& curve, const at::Tensor& grey) {
  const Curve placed = {curve.slope.contiguous(), curve.intercept.contiguous(), curve.brightest.contiguous()};
  passes_.emplace_back([placed, grey](std::int64_t view, float* light, Shape shape, std::vector<float>&) {
    CurveView curve;
    std::copy_n(placed.slope.const_data_ptr<float>() + 9 * view, 9, curve.slope);
    std::copy_n(placed.intercept.const_data_ptr<float>() + 3 * view, 3, curve.intercept);
    std::copy_n(placed.brightest.const_data_ptr<float>() + 3 * view, 3, curve.brightest);
    const std::int64_t pixels = shape.height * shape.width;
    render_view(grey.const_data_ptr<float>() + view % grey.size(0) * 3 * pixels, pixels, curve, light);
  });
}

void ViewPasses::refocus(const at::Tensor& rows, const at::Tensor& amount, double sigma_max) {
  if (rows.numel() == 0) return;
  const FocusProfiles focus = focus_profiles(amount.index_select(0, rows), sigma_max);
  passes_.emplace_back([focus, places = places_of(rows, amount.size(0))](
                           std::int64_t view, float* light, Shape shape, std::vector<float>& scratch) {
    const std::int64_t place = places[static_cast<std::size_t>(view)];
    if (place < 0) return;
    const std::int64_t taps = focus.profile.size(1), radius = taps / 2;
    refocus_view(light, shape.height, shape.width,
                 {focus.profile.const_data_ptr<float>() + place * taps, radius,
                  focus.weight.const_data_ptr<float>()[place]},
                 of_size(scratch, focus_scratch(shape.height, shape.width, radius)));
  });
}

void ViewPasses::recompress(const at::Tensor& rows, const at::Tensor& quality) {
  if (rows.numel() == 0) return;
  const QuantisationSteps steps = quantisation_steps(quality.index_select(0, rows));
  passes_.emplace_back([steps, places = places_of(rows, quality.size(0))](
                           std::int64_t view, float* light, Shape shape, std::vector<float>& scratch) {
    const std::int64_t place = places[static_cast<std::size_t>(view)];
    if (place < 0) return;
    recompress_view(
        light, shape.height, shape.width,
        {steps.luma.const_data_ptr<float>() + 64 * place, steps.chroma.const_data_ptr<float>() + 64 * place},
        of_size(scratch, jpeg_scratch(shape.height, shape.width)));
  });
}

void ViewPasses::apply(at::Tensor& pixels) {
  const std::vector<Pass> passes = std::exchange(passes_, {});
  if (passes.empty()) return;
  const Shape shape{pixels.size(2), pixels.size(3)};
  float* const first = pixels.mutable_data_ptr<float>();
  in_parallel(pixels.size(0), [&](std::int64_t view) {
    thread_local std::vector<float> scratch;
    for (const Pass& pass : passes) pass(view, first + view * 3 * shape.height * shape.width, shape, scratch);
  });
}

}  // namespace stainfold
