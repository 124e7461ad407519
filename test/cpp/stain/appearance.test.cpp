// The collapsed affine rendering against the four steps written out a pixel at a time.
#include "stain/appearance.h"

#include <algorithm>

#include "stain/optical_density.h"
#include "stain/random.h"
#include "stain/virtual_lab.h"
#include "tissue.h"

using namespace stainfold;
using namespace stainfold::testing;

namespace {

using Vector = std::array<double, 3>;

// Rodrigues' formula.
Vector rotate(const Vector& v, const Vector& w) {
  const double angle = std::sqrt(w[0] * w[0] + w[1] * w[1] + w[2] * w[2]);
  if (angle == 0) return v;
  const Vector k = {w[0] / angle, w[1] / angle, w[2] / angle};
  const Vector cross = {k[1] * v[2] - k[2] * v[1], k[2] * v[0] - k[0] * v[2], k[0] * v[1] - k[1] * v[0]};
  const double dot = k[0] * v[0] + k[1] * v[1] + k[2] * v[2];
  Vector out;
  for (int i = 0; i < 3; ++i)
    out[i] = v[i] * std::cos(angle) + cross[i] * std::sin(angle) + k[i] * dot * (1 - std::cos(angle));
  return out;
}

// Steps 1 to 4 of the method for one pixel in grey levels: separation, concentrations, stain vectors,
// recomposition, scanner. Returns light in [0,1].
Vector slow_pixel(const Vector& grey, const at::Tensor& stains, bool blank,
                  const std::vector<double>& theta) {
  Vector density;
  for (int k = 0; k < 3; ++k) density[k] = -std::log((grey[k] + 1) / 240);

  Vector rendered = density;
  if (!blank) {
    // Least squares by the normal equations.
    double hh = 0, he = 0, ee = 0, hd = 0, ed = 0;
    std::array<Vector, 2> m;
    for (int k = 0; k < 3; ++k) {
      m[0][k] = stains[k][0].item<double>();
      m[1][k] = stains[k][1].item<double>();
      hh += m[0][k] * m[0][k], he += m[0][k] * m[1][k], ee += m[1][k] * m[1][k];
      hd += m[0][k] * density[k], ed += m[1][k] * density[k];
    }
    const double determinant = hh * ee - he * he;
    const std::array<double, 2> c = {(ee * hd - he * ed) / determinant, (hh * ed - he * hd) / determinant};

    const std::array<double, 2> a = {std::exp(theta[lab::kLogScale]), std::exp(theta[lab::kLogScale + 1])};
    for (int k = 0; k < 3; ++k)
      rendered[k] = std::sqrt(a[0] * a[1]) * (density[k] - m[0][k] * c[0] - m[1][k] * c[1]);
    for (int s = 0; s < 2; ++s) {
      const std::size_t at = lab::kRotation + 3 * s;
      Vector turned = rotate(m[s], {theta[at], theta[at + 1], theta[at + 2]});
      double length = 0;
      for (double& value : turned) {
        value = std::max(value, 0.0);
        length += value * value;
      }
      const double concentration = a[s] * c[s] + theta[lab::kBackground + s];
      for (int k = 0; k < 3; ++k) rendered[k] += turned[k] / std::sqrt(length) * concentration;
    }
  }

  Vector light;
  for (int k = 0; k < 3; ++k) {
    const double linear = std::min(240.0 / 256.0 * std::exp(-rendered[k]), 1.0);
    const double seen =
        std::pow(std::exp(theta[lab::kLogGain + k]) * linear, std::exp(theta[lab::kLogGamma]));
    light[k] = std::clamp((256 * std::min(seen, 1.0) - 1) / 255, 0.0, 1.0);
  }
  return light;
}

// One estimated, one fallback, one blank tile.
at::Tensor mixed_tiles(std::int64_t size) {
  return at::cat(
      {stained_tiles(1, size), uniform_tile(120, 100, 140, size), uniform_tile(250, 255, 244, size)});
}

}  // namespace

TEST_CASE("the affine collapse equals the four steps a pixel at a time") {
  ManifoldOptions options;
  options.gain = 0.2;  // so that the sensor saturates somewhere
  const at::Tensor grey = planes(mixed_tiles(16)), density = optical_density(grey);
  const Separation separation = separate_stains(density);
  REQUIRE(separation.status[0].item<std::int64_t>() == 0);
  REQUIRE(separation.status[1].item<std::int64_t>() == 1);
  REQUIRE(separation.status[2].item<std::int64_t>() == 2);
  const at::Tensor theta = draw_labs(options, 2 * 3, seeded_generator(5, 1));

  const at::Tensor fast = render_appearance(density, separation, theta);
  at::Tensor slow = at::empty_like(fast);
  for (std::int64_t view = 0; view < 6; ++view) {
    const std::int64_t tile = view % 3;
    const at::Tensor row = theta[view].to(at::kDouble).contiguous();
    const std::vector<double> numbers(row.data_ptr<double>(), row.data_ptr<double>() + lab::kColumns);
    const bool blank = separation.status[tile].item<std::int64_t>() == 2;
    for (std::int64_t y = 0; y < 16; ++y) {
      for (std::int64_t x = 0; x < 16; ++x) {
        const at::Tensor pixel = grey.select(0, tile).select(1, y).select(1, x).to(at::kDouble);
        const Vector light =
            slow_pixel({pixel[0].item<double>(), pixel[1].item<double>(), pixel[2].item<double>()},
                       separation.stains[tile], blank, numbers);
        for (int k = 0; k < 3; ++k) slow[view][k][y][x] = light[k];
      }
    }
  }
  // float32 through a 3 x 3 map with entries up to about 3, and exp: a hundredth of a grey level.
  CHECK((fast - slow).abs().max().item<double>() < 4e-5);
  CHECK(slow.max().item<double>() == 1.0);  // saturation was reached
  CHECK((fast[0] - fast[3]).abs().max().item<double>() > 0.02);
}

TEST_CASE("theta of zero is the identity, for every grey level") {
  const at::Tensor ramp = at::arange(256, at::kInt).to(at::kByte).view({1, 16, 16, 1}).expand({1, 16, 16, 3});
  for (const at::Tensor& tiles : {ramp.contiguous(), stained_tiles(1, 16)}) {
    const at::Tensor grey = planes(tiles), density = optical_density(grey);
    const at::Tensor same =
        render_appearance(density, separate_stains(density), at::zeros({1, lab::kColumns}));
    CHECK((same - grey / 255).abs().max().item<double>() < 1e-5);  // log and exp of float32
  }
}

TEST_CASE("a blank tile meets the scanner only") {
  ManifoldOptions stain_only;
  stain_only.gain = stain_only.gamma = 0;
  const at::Tensor white = planes(uniform_tile(255, 255, 255, 8)), density = optical_density(white);
  const at::Tensor theta = draw_labs(stain_only, 4, seeded_generator(2, 2));
  const at::Tensor views = render_appearance(density, separate_stains(density), theta);
  CHECK((views - 1).abs().max().item<double>() < 1e-6);
}

TEST_CASE("a vector turned out of the positive octant gives no NaN") {
  const at::Tensor density = optical_density(planes(stained_tiles(1, 8)));
  at::Tensor theta = at::zeros({1, lab::kColumns});
  theta.narrow(1, lab::kRotation, 3).copy_(at::tensor({2.2F, -2.2F, 0.0F}));
  CHECK(render_appearance(density, separate_stains(density), theta).isfinite().all().item<bool>());
}
