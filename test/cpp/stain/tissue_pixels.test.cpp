// Reinhard's method and histogram matching on tissue alone: glass stays as it is, and does not count.
#include "stain/tissue_pixels.h"

#include "stainfold/stain.h"
#include "tissue.h"

using namespace stainfold;
using namespace stainfold::testing;

namespace {

constexpr StainMethod kColourMethods[] = {StainMethod::reinhard, StainMethod::histogram};

StainOptions of_tissue(StainMethod method, bool tissue_only = true) {
  StainOptions options;
  options.method = method;
  options.tissue_only = tissue_only;
  return options;
}

// The tile, and glass of its size beside it.
at::Tensor half_glass(const at::Tensor& tile) {  // [1,S,S,3] -> [1,S,2S,3]
  return at::cat({tile, uniform_tile(243, 240, 244, tile.size(1))}, 2);
}

at::Tensor stained_as(std::array<int, 4> abcd, double strength) {
  return two_stain_tile(kReferenceStains, abcd, strength, 64).unsqueeze(0);
}

at::Tensor as_int(const at::Tensor& pixels) { return pixels.to(at::kInt); }

}  // namespace

TEST_CASE("the weight of tissue rises with the density of the darkest channel") {
  const at::Tensor grey = at::arange(256, at::kByte);
  const at::Tensor pink =
      at::stack({at::full({256}, 250, at::kByte), grey, at::full({256}, 255, at::kByte)}, 1);
  const at::Tensor weight = tissue_weight(pink.view({1, 1, 256, 3})).flatten();
  for (int level = 0; level < 250; ++level) {
    CAPTURE(level);
    const double density = -std::log((level + 1) / 240.0);
    const double part = std::clamp((density - 0.1) / 0.1, 0.0, 1.0);
    CHECK(std::abs(weight[level].item<double>() - part * part * (3 - 2 * part)) < 1e-5);
  }
  CHECK(weight[255].item<double>() == 0);
  CHECK(weight[0].item<double>() == 1);
  // No step between neighbouring grey levels, so no edge where there was none.
  CHECK(weight.diff().abs().max().item<double>() < 0.08);
}

TEST_CASE("glass beside tissue changes neither the fit nor the tissue, and stays as it was") {
  const at::Tensor source = stained_as({3, 13, 9, 2}, 1.15), target = stained_as({7, 3, 5, 11}, 1.0);
  const at::Tensor beside = half_glass(source);
  for (const StainMethod method : kColourMethods) {
    CAPTURE(static_cast<int>(method));
    const StainOptions options = of_tissue(method);
    const at::Tensor reference = fit_stains(half_glass(target), options).values;
    CHECK(relative_error(reference, fit_stains(target, options).values) < 1e-6);
    const auto normalized = [&](const at::Tensor& tiles) {
      return normalize_stains(tiles, fit_stains(tiles, options), reference[0], options).pixels;
    };
    const at::Tensor alone = normalized(source), out = normalized(beside);
    CHECK(out.narrow(2, 64, 64).equal(beside.narrow(2, 64, 64)));
    // A fraction beside a whole number may be cut to either side when sums run in another order.
    CHECK((as_int(out.narrow(2, 0, 64)) - as_int(alone)).abs().max().item<int>() <= 1);
    CHECK_FALSE(out.narrow(2, 0, 64).equal(source));

    // As published, the same glass is measured and moved: the comparison can fail.
    const StainOptions plain = of_tissue(method, false);
    const at::Tensor moved =
        normalize_stains(beside, fit_stains(beside, plain), fit_stains(target, plain).values[0], plain)
            .pixels;
    CHECK((as_int(moved) - as_int(beside)).narrow(2, 64, 64).abs().max().item<int>() > 8);
  }
}

TEST_CASE("where all is tissue, tissue alone is all") {
  const at::Tensor source = stained_as({3, 13, 9, 2}, 1.15), target = stained_as({7, 3, 5, 11}, 1.0);
  REQUIRE(tissue_weight(source).min().item<double>() == 1);
  for (const StainMethod method : kColourMethods) {
    CAPTURE(static_cast<int>(method));
    const StainOptions tissue = of_tissue(method), plain = of_tissue(method, false);
    const StainFit fit = fit_stains(source, tissue);
    CHECK(relative_error(fit.values, fit_stains(source, plain).values) < 1e-5);
    const at::Tensor reference = fit_stains(target, plain).values[0];
    const at::Tensor a = normalize_stains(source, fit, reference, tissue).pixels;
    const at::Tensor b = normalize_stains(source, fit, reference, plain).pixels;
    CHECK(a.equal(b));
  }
}

TEST_CASE("a tile without tissue comes out as it went in, and has a fit of finite numbers") {
  const at::Tensor glass = uniform_tile(243, 240, 244, 32);
  for (const StainMethod method : kColourMethods) {
    const StainOptions options = of_tissue(method);
    const StainFit fit = fit_stains(glass, options);
    CHECK(fit.values.isfinite().all().item<bool>());
    const at::Tensor reference = fit_stains(stained_as({7, 3, 5, 11}, 1.0), options).values[0];
    CHECK(normalize_stains(glass, fit, reference, options).pixels.equal(glass));
  }
}
