// The convolution as products of matrices against LibTorch's, in value and gradient.
#include "models/few_pixels.h"

#include <torch/csrc/autograd/autograd.h>

#include <array>

#include "testing.h"

using namespace stainfold;
using namespace stainfold::testing;

namespace {

at::Tensor waves(at::IntArrayRef shape, double step) {
  std::int64_t count = 1;
  for (const std::int64_t side : shape) count *= side;
  return (at::arange(count, at::kFloat) * step).sin().view(shape).contiguous(at::MemoryFormat::ChannelsLast);
}

template <typename Convolve>
std::array<at::Tensor, 3> differentiated(const at::Tensor& x, const at::Tensor& weight, at::ScalarType type,
                                         Convolve convolve) {
  const at::Tensor a = x.to(type).detach().clone().requires_grad_(true),
                   w = weight.to(type).detach().clone().requires_grad_(true);
  const at::Tensor y = convolve(a, w);
  const auto gradients = torch::autograd::grad({(y * y).sum()}, {a, w});
  return {y.detach(), gradients[0], gradients[1]};
}

}  // namespace

TEST_CASE("a convolution of few pixels is LibTorch's, in value and gradient") {
  for (const auto& [images, in, out, height, width, stride] :
       std::initializer_list<std::array<std::int64_t, 6>>{{1, 1, 1, 1, 1, 1},
                                                          {2, 3, 5, 4, 6, 1},
                                                          {2, 4, 3, 5, 4, 2},
                                                          {3, 16, 8, 4, 4, 2},
                                                          {1, 2, 2, 2, 1, 2}}) {
    CAPTURE(height);
    CAPTURE(stride);
    const std::int64_t by = stride;
    const at::Tensor x = waves({images, in, height, width}, 0.7), weight = waves({out, in, 3, 3}, 1.3);
    const auto expected =
        differentiated(x, weight, at::kDouble,
                       [&](const at::Tensor& a, const at::Tensor& w) { return at::conv2d(a, w, {}, by, 1); });
    const auto found = differentiated(x, weight, at::kFloat, [&](const at::Tensor& a, const at::Tensor& w) {
      return convolve_few_pixels(a, w, by);
    });
    // float32 sums of up to 144 products, twice.
    for (std::size_t i = 0; i < 3; ++i) CHECK(relative_error(found[i], expected[i]) < 2e-6);
    CHECK(found[0].is_contiguous(at::MemoryFormat::ChannelsLast));
    CHECK(found[2].is_contiguous(at::MemoryFormat::ChannelsLast));
    const auto wrong = differentiated(
        x, weight.flip(3), at::kFloat,
        [&](const at::Tensor& a, const at::Tensor& w) { return convolve_few_pixels(a, w, by); });
    if (width > 1) CHECK(relative_error(wrong[0], expected[0]) > 1e-2);
  }
}

TEST_CASE("few pixels and many weights are served, on the CPU in float32") {
  const at::Tensor weight = at::zeros({320, 320, 3, 3}).contiguous(at::MemoryFormat::ChannelsLast);
  const auto image = [](std::int64_t images) {
    return at::zeros({images, 320, 4, 4}).contiguous(at::MemoryFormat::ChannelsLast);
  };
  CHECK(has_few_pixels(image(16), weight, 1));
  CHECK_FALSE(has_few_pixels(image(64), weight, 1));
  CHECK(has_few_pixels(image(64), weight, 2));
  CHECK_FALSE(has_few_pixels(image(16).contiguous(), weight, 1));
  CHECK_FALSE(has_few_pixels(image(16), weight.contiguous(), 1));
  CHECK_FALSE(has_few_pixels(image(16).to(at::kBFloat16), weight, 1));
  CHECK_FALSE(has_few_pixels(image(16), weight.narrow(0, 0, 16), 1));
}

TEST_CASE("a convolution of few pixels is differentiable once, and only what is asked for") {
  const at::Tensor x = waves({2, 3, 4, 4}, 0.7), weight = waves({5, 3, 3, 3}, 1.3).requires_grad_(true);
  const at::Tensor sum = convolve_few_pixels(x, weight, 1).sum();
  CHECK(torch::autograd::grad({sum}, {weight}, {}, true)[0].sizes() == weight.sizes());
  CHECK(code_of([&] { torch::autograd::grad({sum}, {weight}, {}, true, /*create_graph=*/true); }) ==
        ErrorCode::state);
}
