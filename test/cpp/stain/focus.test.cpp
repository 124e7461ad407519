// Blur and sharpening.
#include "stain/focus.h"

#include "tissue.h"

using namespace stainfold;
using namespace stainfold::testing;

namespace {

at::Tensor texture() { return planes(noise_tiles(2, 32)) / 255.0 * 0.4 + 0.3; }  // never near 0 or 1

double contrast(const at::Tensor& image) { return image.std().item<double>(); }

}  // namespace

TEST_CASE("blur is a Gaussian") {
  at::Tensor point = at::zeros({1, 3, 15, 15});
  point.select(2, 7).select(2, 7).fill_(1);
  const double sigma = 0.8;
  const at::Tensor spread = refocus(point, at::ones({1}), sigma)[0][1];
  // The kernel stops at 2.5 sigma = 2 pixels.
  double total = 0;
  for (int d = -2; d <= 2; ++d) total += std::exp(-d * d / (2 * sigma * sigma));
  for (int y = 0; y < 15; ++y) {
    for (int x = 0; x < 15; ++x) {
      const int dy = y - 7, dx = x - 7;
      const bool inside = std::abs(dy) <= 2 && std::abs(dx) <= 2;
      const double expected =
          inside ? std::exp(-(dy * dy + dx * dx) / (2 * sigma * sigma)) / (total * total) : 0;
      CHECK(spread[y][x].item<double>() == doctest::Approx(expected).epsilon(1e-5));
    }
  }
}

TEST_CASE("focus preserves the mean and a constant image, blur lowers contrast, sharpening raises it") {
  const at::Tensor image = texture(), constant = at::full({2, 3, 9, 7}, 0.6);
  const at::Tensor blur = at::full({2}, 0.8), sharpen = at::full({2}, -0.8), none = at::zeros({2});
  for (const at::Tensor& amount : {blur, sharpen}) {
    // Replicated edges weigh a little more: 0.002 of a range of 0.4.
    const at::Tensor change = refocus(image, amount, 0.8).mean({2, 3}) - image.mean({2, 3});
    CHECK(change.abs().max().item<double>() < 2e-3);
    CHECK((refocus(constant, amount, 0.8) - 0.6).abs().max().item<double>() < 1e-6);
  }
  CHECK(contrast(refocus(image, blur, 0.8)) < 0.8 * contrast(image));
  CHECK(contrast(refocus(image, sharpen, 0.8)) > 1.2 * contrast(image));
  CHECK((refocus(image, none, 0.8) - image).abs().max().item<double>() < 1e-6);
}

TEST_CASE("every view has its own kernel") {
  const at::Tensor image = texture();
  const at::Tensor both = refocus(image, at::tensor({0.9F, -0.5F}), 0.8);
  for (int i = 0; i < 2; ++i) {
    const at::Tensor alone = refocus(image.narrow(0, i, 1), at::tensor({i == 0 ? 0.9F : -0.5F}), 0.8);
    CHECK(relative_error(both[i], alone[0]) < 1e-6);  // the convolution may sum in another order
  }
}
