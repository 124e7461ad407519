// Macenko's separation against the known truth, torchstain's numbers, and content that has no stain.
#include "stain/separation.h"

#include "stain/optical_density.h"
#include "tissue.h"

using namespace stainfold;
using namespace stainfold::testing;

namespace {

std::int64_t status_of(const at::Tensor& tile) {
  return separate_stains(optical_density(planes(tile))).status[0].item<std::int64_t>();
}

constexpr auto kEstimated = static_cast<std::int64_t>(SeparationStatus::estimated);
constexpr auto kFallback = static_cast<std::int64_t>(SeparationStatus::fallback);
constexpr auto kBlank = static_cast<std::int64_t>(SeparationStatus::blank);

}  // namespace

TEST_CASE("optical density is -ln((I+1)/240)") {
  const at::Tensor density = optical_density(at::tensor({0, 239, 255}, at::kInt).to(at::kByte));
  CHECK((density.scalar_type() == at::kFloat));
  CHECK(density[0].item<double>() == doctest::Approx(std::log(240.0)));
  CHECK(std::abs(density[1].item<double>()) < 1e-6);  // float32 log(240) - log(240)
  CHECK(density[2].item<double>() == doctest::Approx(std::log(240.0 / 256.0)));
  CHECK((optical_density(at::ones({2}, at::kDouble)).scalar_type() == at::kDouble));
}

TEST_CASE("with all pixels the estimate is torchstain's") {
  // torchstain 1.4, torch backend, Io 240, alpha 1, beta 0.15.
  const at::Tensor stains = at::tensor({0.5292901396751404, 0.30375754833221436, 0.7321836948394775,
                                        0.7904324531555176, 0.4286714196205139, 0.5319286584854126},
                                       at::kDouble)
                                .view({3, 2});
  const at::Tensor peaks = at::tensor({2.2374637126922607, 1.477556824684143}, at::kDouble);

  const at::Tensor tile = two_stain_tile(kReferenceStains, {7, 3, 5, 11}, 1.0, 64);
  REQUIRE(tile.sum().item<std::int64_t>() == 1135006);
  const at::Tensor density = optical_density(planes(tile.unsqueeze(0)));
  const Separation separation = separate_stains(density, kAllPixels);

  CHECK(separation.status[0].item<std::int64_t>() == kEstimated);
  // Both sides estimate from float32 densities: 1e-5 is a few of their ulps through a least-squares solve.
  CHECK((separation.stains[0] - stains).abs().max().item<double>() < 1e-5);
  const at::Tensor found = peak_concentrations(concentrations(density, separation.stains))[0];
  CHECK((found - peaks).abs().max().item<double>() < 1e-5);
}

TEST_CASE("known stain matrices are recovered, each tile its own") {
  const Stains other = {{{0.65, 0.18}, {0.70, 0.95}, {0.29, 0.25}}};
  const at::Tensor tiles = at::stack({two_stain_tile(kReferenceStains, {7, 3, 5, 11}, 1.0, 128),
                                      two_stain_tile(other, {3, 13, 9, 2}, 0.9, 128)});
  const Separation separation = separate_stains(optical_density(planes(tiles)));
  for (int i = 0; i < 2; ++i) {
    const Stains& truth = i == 0 ? kReferenceStains : other;
    for (int stain = 0; stain < 2; ++stain) {
      const at::Tensor vector = at::tensor({truth[0][stain], truth[1][stain], truth[2][stain]}, at::kDouble);
      // No pixel is pure: eosin of 1.2 comes with haematoxylin of 0.3, a quarter of the way between vectors
      // that are 30 degrees apart, and the percentile of 1 takes a degree more.
      CHECK(degrees_between(separation.stains[i].select(1, stain), vector) < 9.0);
    }
    CHECK(separation.stains[i].norm(2, 0).sub(1).abs().max().item<double>() < 1e-6);
  }
}

TEST_CASE("pure stains are recovered to a quarter of a degree") {
  // Half of the pixels hold haematoxylin alone, half eosin alone.
  const at::Tensor amount = at::linspace(0.8, 2.0, 4096, at::kDouble);
  const at::Tensor haematoxylin = at::tensor({0.5626, 0.7201, 0.4062}, at::kDouble);
  const at::Tensor eosin = at::tensor({0.2159, 0.8012, 0.5581}, at::kDouble);
  const at::Tensor density =
      at::cat({at::outer(haematoxylin, amount), at::outer(eosin, amount)}, 1).view({1, 3, 64, 128});
  const Separation separation = separate_stains(density);
  CHECK(degrees_between(separation.stains[0].select(1, 0), haematoxylin) < 0.25);
  CHECK(degrees_between(separation.stains[0].select(1, 1), eosin) < 0.25);
}

TEST_CASE("the sampled estimate stays near the full one, and mates do not matter") {
  const at::Tensor density = optical_density(planes(stained_tiles(4, 200)));
  const Separation sampled = separate_stains(density), full = separate_stains(density, kAllPixels);
  for (int i = 0; i < 4; ++i) {
    for (int stain = 0; stain < 2; ++stain) {
      CHECK(degrees_between(sampled.stains[i].select(1, stain), full.stains[i].select(1, stain)) < 1.0);
    }
    // Batched products may sum in another order: float64 leaves far less than a float32 ulp of it.
    CHECK(relative_error(separate_stains(density.narrow(0, i, 1)).stains[0], sampled.stains[i]) < 1e-6);
  }
}

TEST_CASE("pseudo-inverse and concentrations undo the mixture") {
  const at::Tensor stains = ruifrok_stains(at::kDouble).unsqueeze(0);
  CHECK(relative_error(at::matmul(pseudo_inverse(stains), stains)[0], at::eye(2, at::kDouble)) < 1e-12);
  CHECK(relative_error(pseudo_inverse(stains), at::linalg_pinv(stains)) < 1e-12);
  const at::Tensor amounts = at::arange(2 * 6, at::kDouble).view({1, 2, 2, 3});
  const at::Tensor density = at::matmul(stains, amounts.flatten(2)).view({1, 3, 2, 3});
  CHECK(relative_error(concentrations(density, stains), amounts) < 1e-12);
}

TEST_CASE("content without separable stain falls back to Ruifrok's matrix and says so") {
  const at::Tensor white = uniform_tile(255, 255, 255, 64);
  CHECK(status_of(white) == kBlank);
  CHECK(status_of(uniform_tile(240, 241, 239, 64)) == kBlank);
  CHECK(status_of(uniform_tile(0, 0, 0, 64)) == kFallback);
  CHECK(status_of(uniform_tile(128, 128, 128, 64)) == kFallback);
  CHECK(status_of(uniform_tile(150, 90, 160, 64)) == kFallback);
  CHECK(status_of(uniform_tile(150, 90, 160, 1)) == kFallback);  // a tile of one pixel

  // One stain in all strengths: two vectors, but of the same stain.
  const Stains only = {{{0.65, 0.65}, {0.70, 0.70}, {0.29, 0.29}}};
  CHECK(status_of(two_stain_tile(only, {7, 3, 5, 11}, 1.0, 64).unsqueeze(0)) == kFallback);

  // A corner of tissue on glass: 36 of 4096 pixels.
  at::Tensor corner = white.clone();
  corner.slice(1, 0, 6).slice(2, 0, 6).copy_(stained_tiles(1, 6));
  CHECK(status_of(corner) == kBlank);
  corner.slice(1, 0, 8).copy_(stained_tiles(1, 64).slice(1, 0, 8));
  CHECK(status_of(corner) == kEstimated);

  const Separation noise = separate_stains(optical_density(planes(noise_tiles(3, 64))));
  CHECK(noise.stains.isfinite().all().item<bool>());
  const Separation black = separate_stains(optical_density(planes(uniform_tile(0, 0, 0, 64))));
  CHECK(relative_error(black.stains[0], ruifrok_stains(at::kFloat)) == 0.0);
}

TEST_CASE("wrong input throws") {
  CHECK(code_of([] { separate_stains(at::zeros({1, 3, 4})); }) == ErrorCode::shape);
  CHECK(code_of([] { separate_stains(at::zeros({1, 3, 4, 4}, at::kLong)); }) == ErrorCode::dtype);
  CHECK(code_of([] { separate_stains(at::zeros({1, 3, 4, 4}), 0); }) == ErrorCode::option);
  CHECK(code_of([] { pseudo_inverse(at::zeros({1, 2, 3})); }) == ErrorCode::shape);
}
