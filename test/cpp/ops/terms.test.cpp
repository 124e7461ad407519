// The other terms of the objective: scatter, cross-correlation, reconstruction, gradient reversal.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/autocast_mode.h>
#include <torch/csrc/autograd/autograd.h>

#include "ops/golden.h"
#include "ops/reference.h"
#include "stainfold/losses.h"
#include "testing.h"

using namespace stainfold;
using namespace stainfold::testing;

namespace {

at::Tensor number(double value) { return at::scalar_tensor(value, at::kDouble); }

// tr(S_within) / tr(S_total), a row at a time.
double reference_scatter(const at::Tensor& z, std::int64_t tiles) {
  double within = 0, total = 0;
  for (std::int64_t i = 0; i < z.size(0); ++i) {
    at::Tensor sum = at::zeros({z.size(1)}, at::kDouble);
    std::int64_t views = 0;
    for (std::int64_t j = i % tiles; j < z.size(0); j += tiles, ++views) sum += z[j];
    within += (z[i] - sum / views).square().sum().item<double>();
    total += (z[i] - z.mean(0)).square().sum().item<double>();
  }
  return within / total;
}

double reference_charbonnier(const at::Tensor& x) {
  return (at::sqrt(x * x + 1e-6) - 1e-3).mean().item<double>();
}

// The reconstruction loss in plain autograd; `edges` 0 leaves the differences out.
at::Tensor plain_reconstruction(const at::Tensor& output, const at::Tensor& target, double edges = 1) {
  const auto mean = [](const at::Tensor& x) {
    return x.numel() == 0 ? x.sum() : (at::sqrt(x * x + 1e-6) - 1e-3).mean();
  };
  const at::Tensor error = output - target;
  return mean(error) + edges * (mean(error.diff(1, 2)) + mean(error.diff(1, 3)));
}

}  // namespace

TEST_CASE("scatter_ratio agrees with its definition, also where the last view is not complete") {
  for (const auto& [rows, tiles] :
       {std::pair<std::int64_t, std::int64_t>{12, 4}, {13, 5}, {7, 3}, {9, 1}, {5, 5}}) {
    CAPTURE(rows);
    CAPTURE(tiles);
    const at::Tensor z = golden_embedding(rows, 6, 0.1) + 3;
    const auto loss = [tiles = tiles](const at::Tensor& x) { return scatter_ratio(x, tiles); };
    const auto out = differentiate(loss, z);
    CHECK(out.value.item<double>() == doctest::Approx(reference_scatter(z, tiles)).epsilon(1e-12));
    CHECK((out.gradient - finite_differences(loss, z)).abs().max().item<double>() <
          1e-8);  // central differences
    CHECK(relative_error(scatter_ratio(z.to(at::kFloat), tiles), out.value) < 1e-5);
  }
}

TEST_CASE("scatter_ratio is 0 for collapsed views, 1 for one tile, and defined where nothing varies") {
  const at::Tensor tiles = golden_embedding(6, 5, 0);
  CHECK(scatter_ratio(tiles.repeat({3, 1}), 6).item<double>() < 1e-30);
  CHECK(scatter_ratio(tiles, 1).item<double>() == doctest::Approx(1.0));
  for (const at::ScalarType type : {at::kFloat, at::kDouble}) {
    // 0.1 has no exact mean: the noise of rounding must not be taken for scatter.
    for (const double value : {0.0, 0.1, 1e6}) {
      const auto out = differentiate([](const at::Tensor& x) { return scatter_ratio(x, 3); },
                                     at::full({9, 4}, value, type));
      CHECK(out.value.item<double>() == 0);
      CHECK(out.gradient.abs().max().item<double>() == 0);
    }
  }
  CHECK(scatter_ratio(at::full({4, 2}, std::nan("")), 2).isnan().item<bool>());
}

TEST_CASE("cross_correlation_loss gives the golden numbers") {
  for (const GoldenCrossCorrelation& golden : golden_cross_correlation()) {
    for (const at::ScalarType type : {at::kDouble, at::kFloat}) {
      const double allowed = type == at::kDouble ? 1e-10 : 1e-5;
      const at::Tensor a = golden_embedding(golden.tiles, golden.dim, 0).to(type).requires_grad_(true);
      const at::Tensor b = golden_embedding(golden.tiles, golden.dim, 0.25).to(type).requires_grad_(true);
      const at::Tensor loss = cross_correlation_loss(a, b, golden.lambda);
      const auto gradients = torch::autograd::grad({loss}, {a, b});
      CHECK(relative_error(loss, number(golden.loss)) < allowed);
      CHECK(relative_error(gradients[0].to(at::kDouble).norm(), number(golden.gradient_a_norm)) < allowed);
      const at::Tensor expected = at::tensor(golden.gradient_b_row0, at::kDouble);
      CHECK(relative_error(gradients[1][0], expected) < allowed);
      CHECK(relative_error(gradients[1][0], expected * 1.001) > 1e-4);  // the comparison can fail
    }
  }
}

TEST_CASE("cross_correlation_loss is differentiable by finite differences and defined for still columns") {
  const at::Tensor a = golden_embedding(9, 4, 0), b = golden_embedding(9, 4, 0.25);
  const auto loss = [&](const at::Tensor& x) { return cross_correlation_loss(x, b, 0.3); };
  CHECK(relative_error(differentiate(loss, a).gradient, finite_differences(loss, a)) < 1e-7);

  at::Tensor still = a.clone();
  still.select(1, 2).fill_(0.1);
  const auto out = differentiate(loss, still);
  CHECK(out.gradient.isfinite().all().item<bool>());
  CHECK(out.gradient.select(1, 2).abs().max().item<double>() == 0);
  // Its correlation with anything is 0: it misses the target 1 on the diagonal by 1.
  CHECK(cross_correlation_loss(at::full({5, 3}, 0.1), at::full({5, 3}, 7.0), 1).item<double>() == 3);
  CHECK(cross_correlation_loss(at::ones({1, 2}), at::ones({1, 2}), 1).item<double>() == 2);
}

TEST_CASE("reconstruction_loss is the distance of pixels plus that of differences") {
  const at::Tensor output = golden_embedding(2 * 3 * 5, 4, 0).view({2, 3, 5, 4}) * 0.1 + 0.5;
  const at::Tensor target = golden_embedding(2 * 3 * 5, 4, 0.25).view({2, 3, 5, 4}) * 0.1 + 0.5;
  const at::Tensor error = output - target;
  const double expected = reference_charbonnier(error) + reference_charbonnier(error.diff(1, 2)) +
                          reference_charbonnier(error.diff(1, 3));
  const auto loss = [&](const at::Tensor& x) { return reconstruction_loss(x, target); };
  const auto out = differentiate(loss, output);
  CHECK(out.value.item<double>() == doctest::Approx(expected).epsilon(1e-10));
  // Curvature up to 1/1e-3 at a step of 1e-6 leaves about 1e-7 of the gradient.
  CHECK(relative_error(out.gradient, finite_differences(loss, output)) < 1e-6);
  CHECK(relative_error(reconstruction_loss(output.to(at::kFloat), target.to(at::kFloat)), out.value) < 1e-5);

  const auto same = differentiate(loss, target);
  CHECK(same.value.item<double>() == 0);
  CHECK(same.gradient.abs().max().item<double>() == 0);
  CHECK(reconstruction_loss(at::ones({1, 3, 1, 1}), at::zeros({1, 3, 1, 1})).item<double>() ==
        doctest::Approx(1 - 1e-3).epsilon(1e-3));
}

TEST_CASE("reconstruction_loss agrees with plain autograd on any shape, in both arguments") {
  // One row, one column, one pixel; below, at and above the width of a vector and its multiples.
  const std::int64_t sides[][2] = {{1, 1}, {1, 7}, {7, 1}, {3, 15}, {5, 16}, {4, 17}, {2, 33}, {40, 50}};
  for (const auto& [height, width] : sides) {
    CAPTURE(height);
    CAPTURE(width);
    const std::int64_t rows = 2 * 3 * height;
    const auto image = [&](double phase) {
      return golden_embedding(rows, width, phase).view({2, 3, height, width}) * 0.3 + 0.5;
    };
    const at::Tensor output = image(0), target = image(0.25);
    const auto of_output = [&](const at::Tensor& x) { return reconstruction_loss(x, target); };
    const auto of_target = [&](const at::Tensor& x) { return reconstruction_loss(output, x); };
    const auto slow =
        differentiate([&](const at::Tensor& x) { return plain_reconstruction(x, target); }, output);
    const auto fast = differentiate(of_output, output);
    CHECK(relative_error(fast.value, slow.value) < 1e-11);
    CHECK(relative_error(fast.gradient, slow.gradient) < 1e-11);
    CHECK(relative_error(differentiate(of_target, target).gradient, -slow.gradient) < 1e-11);
    const auto single =
        differentiate([&](const at::Tensor& x) { return reconstruction_loss(x, target.to(at::kFloat)); },
                      output.to(at::kFloat));
    CHECK(relative_error(single.value, slow.value) < 1e-5);
    CHECK(relative_error(single.gradient, slow.gradient) < 1e-4);  // differences of float32 pixels
    // Strided input is read as it lies.
    const auto strided = differentiate(of_output, output.transpose(2, 3).contiguous().transpose(2, 3));
    CHECK(relative_error(strided.gradient, slow.gradient) < 1e-11);
  }
  const at::Tensor a = golden_embedding(6, 4, 0).view({1, 3, 2, 4}), b = a.flip(3);
  CHECK(relative_error(plain_reconstruction(a, b, 0), reconstruction_loss(a, b)) > 1e-3);  // edges count
  const auto scaled = differentiate([&](const at::Tensor& x) { return reconstruction_loss(x, b) * 3; }, a);
  CHECK(relative_error(
            scaled.gradient,
            differentiate([&](const at::Tensor& x) { return reconstruction_loss(x, b); }, a).gradient * 3) <
        1e-12);
}

TEST_CASE("NaN reaches the reconstruction loss") {
  at::Tensor output = at::full({1, 3, 4, 20}, 0.5);
  output[0][1][2][18] = std::nan("");
  CHECK(std::isnan(reconstruction_loss(output, at::zeros_like(output)).item<double>()));
}

TEST_CASE("reconstruction_loss gives the same bytes with any number of threads, and is differentiable once") {
  const at::Tensor output = golden_embedding(8 * 3 * 20, 24, 0).view({8, 3, 20, 24}).to(at::kFloat);
  const at::Tensor target = output.flip(3);
  const auto loss = [&](const at::Tensor& x) { return reconstruction_loss(x, target); };
  const int threads = at::get_num_threads();
  at::set_num_threads(1);
  const auto one = differentiate(loss, output);
  at::set_num_threads(3);
  const auto several = differentiate(loss, output);
  at::set_num_threads(threads);
  CHECK(at::equal(one.value, several.value));
  CHECK(at::equal(one.gradient, several.gradient));
  at::Tensor leaf = output.clone().requires_grad_(true);
  const at::Tensor value = loss(leaf);
  CHECK(code_of([&] { torch::autograd::grad({value}, {leaf}, {}, true, /*create_graph=*/true); }) ==
        ErrorCode::state);
}

TEST_CASE("the terms are computed in float32 from low precision, under autocast too") {
  const at::Tensor a = golden_embedding(16, 8, 0).to(at::kFloat),
                   b = golden_embedding(16, 8, 0.25).to(at::kFloat);
  const at::Tensor narrow = a.to(at::kBFloat16);
  CHECK(at::equal(scatter_ratio(narrow, 4), scatter_ratio(narrow.to(at::kFloat), 4)));
  const at::Tensor full = cross_correlation_loss(a, b, 0.01);
  at::autocast::set_autocast_enabled(at::kCPU, true);
  const at::Tensor under_autocast = cross_correlation_loss(a, b, 0.01);
  at::autocast::set_autocast_enabled(at::kCPU, false);
  CHECK(at::equal(under_autocast, full));
}

TEST_CASE("reverse_gradient is the identity forward and turns the gradient back") {
  const at::Tensor x = golden_embedding(3, 4, 0);
  const auto out = differentiate([](const at::Tensor& t) { return (reverse_gradient(t, 0.7) * t).sum(); }, x);
  CHECK(out.value.item<double>() == x.square().sum().item<double>());
  CHECK(relative_error(out.gradient, x - 0.7 * x) < 1e-15);
  const auto off = differentiate([](const at::Tensor& t) { return reverse_gradient(t, 0).sum(); }, x);
  CHECK(off.gradient.abs().max().item<double>() == 0);
  const at::Tensor weight = at::scalar_tensor(0.7, x.options());
  const auto by =
      differentiate([&](const at::Tensor& t) { return (reverse_gradient(t, weight) * t).sum(); }, x);
  CHECK(at::equal(by.value, out.value));
  CHECK(at::equal(by.gradient, out.gradient));
  CHECK(code_of([&] { reverse_gradient(x, x); }) == ErrorCode::shape);
  const c10::InferenceMode inference;
  CHECK(at::equal(reverse_gradient(x.clone(), 2), x));
  CHECK(at::equal(reverse_gradient(x.clone(), weight), x));
}

TEST_CASE("the terms reject what they cannot mean") {
  const at::Tensor z = at::ones({4, 3});
  CHECK(code_of([&] { scatter_ratio(z[0], 1); }) == ErrorCode::shape);
  CHECK(code_of([&] { scatter_ratio(z, 5); }) == ErrorCode::shape);
  CHECK(code_of([&] { scatter_ratio(z, 0); }) == ErrorCode::option);
  CHECK(code_of([&] { scatter_ratio(z.to(at::kInt), 2); }) == ErrorCode::dtype);
  CHECK(code_of([&] { cross_correlation_loss(z, at::ones({4, 2}), 0.1); }) == ErrorCode::shape);
  CHECK(code_of([&] {
          cross_correlation_loss(at::ones({0, 3}), at::ones({0, 3}), 0.1);
        }) == ErrorCode::shape);
  CHECK(code_of([&] { cross_correlation_loss(z, z, -0.1); }) == ErrorCode::option);
  CHECK(code_of([&] { reconstruction_loss(z, z); }) == ErrorCode::shape);
  CHECK(code_of([&] {
          reconstruction_loss(at::ones({1, 3, 4, 4}), at::ones({1, 3, 4, 5}));
        }) == ErrorCode::shape);
  CHECK(code_of([&] { reverse_gradient(z, std::nan("")); }) == ErrorCode::option);
}
