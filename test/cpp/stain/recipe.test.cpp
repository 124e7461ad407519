// The transforms and their composition: what each does by its formula, what none may do to any content.
#include "stain/recipe.h"

#include <limits>
#include <set>

#include "stain/cielab.h"
#include "stain/intensity.h"
#include "stain/lab_template.h"
#include "stain/optical_density.h"
#include "stain/random.h"
#include "stain/reference_stains.h"
#include "stain/virtual_lab.h"
#include "tissue.h"

using namespace stainfold;
using namespace stainfold::testing;

namespace {

struct NamedRecipe {
  const char* name;
  std::vector<Transform> transforms;
  bool fresh;
};

transform::Stain hdab(double strength) {
  transform::Stain stain;
  stain.reference = {0.65, 0.70, 0.29, 0.27, 0.57, 0.78};
  stain.tolerance = 25;
  stain.concentration = 0.25 * strength;
  stain.background = 0.03 * strength;
  stain.rotation = 5 * strength;
  return stain;
}

transform::Stain macenko_jitter(double strength) {
  transform::Stain stain;
  stain.concentration = stain.background = 0.2 * strength;
  stain.uniform = true;
  return stain;
}

// Every transform is in one of them.
std::vector<NamedRecipe> recipes(double s) {
  ManifoldOptions he;
  for (double* spread : {&he.concentration, &he.background, &he.rotation, &he.gain, &he.gamma, &he.blur})
    *spread *= s;
  he.jpeg_quality_min = s > 0 ? 40 : 100;
  using namespace transform;
  return {
      {"he", he_transforms(he), false},
      {"hdab", {hdab(s), Gain{0.06 * s}, Gamma{0.12 * s}}, false},
      {"fluorescence",
       {Blur{0.8 * s}, Gain{0.25 * s, 0.3}, Background{0.02 * s, 0.3}, Noise{0.02 * s, 0.8, 0},
        Gamma{0.15 * s}},
       false},
      {"intensity",
       {BiasField{0.1 * s, 1}, Gain{0.1 * s, 1}, Blur{0.8 * s}, Noise{0.01 * s, 0, 1},
        Window{0.03 * s, 0.09 * s, 1}},
       false},
      {"three channels",
       {BiasField{0.1 * s, 0}, Window{0.03 * s, 0.09 * s, 0}, Noise{0.02 * s, 0.5, 0.5}},
       false},
      {"hed-jitter", {Hed{0.05 * s, 0.05 * s}}, true},
      {"macenko-jitter", {macenko_jitter(s)}, true},
      {"stain behind light", {Window{0.03 * s, 0.09 * s, 1}, hdab(s), Gamma{0.1 * s}, Gain{0.1 * s}}, false},
  };
}

transform::LabTemplate some_template() { return {{70, 15, -10}, {5, 4, 4}, {12, 6, 5}, {2, 1, 1}}; }

ManifoldOptions options_of(const NamedRecipe& recipe) {
  ManifoldOptions options;
  options.labs = 5;
  options.transforms = recipe.transforms;
  options.fresh = recipe.fresh;
  return options;
}

// Tissue, noise, and what is hardest: one grey level everywhere, black, white, one pixel's worth of colour.
at::Tensor hard_tiles(std::int64_t size) {
  at::Tensor spot = uniform_tile(255, 255, 255, size);
  spot[0][0][0].zero_();
  return at::cat({stained_tiles(2, size), noise_tiles(1, size), uniform_tile(0, 0, 0, size),
                  uniform_tile(255, 255, 255, size), uniform_tile(128, 128, 128, size),
                  uniform_tile(180, 90, 160, size), spot});
}

bool proper(const at::Tensor& image) {
  return image.isfinite().all().item<bool>() && image.min().item<double>() >= 0 &&
         image.max().item<double>() <= 1;
}

at::Tensor grey_of(const at::Tensor& tiles) { return planes(tiles); }

}  // namespace

TEST_CASE("every recipe: shapes, range, labels and determinism, whatever the tile shows") {
  std::vector<NamedRecipe> all = recipes(1.0);
  for (NamedRecipe& wild : recipes(3.0)) all.push_back(wild);
  all.push_back({"randstainna", {some_template()}, true});
  const at::Tensor tiles = hard_tiles(24);
  for (const NamedRecipe& recipe : all) {
    CAPTURE(recipe.name);
    const Manifold manifold(options_of(recipe), 3), again(options_of(recipe), 3);
    const Views views = manifold.render(tiles, 3, 17);
    CHECK(views.pixels.sizes() == at::IntArrayRef({24, 3, 24, 24}));
    CHECK((views.pixels.scalar_type() == at::kFloat));
    CHECK(proper(views.pixels));
    CHECK(views.lab.min().item<std::int64_t>() >= 0);
    CHECK(views.lab.max().item<std::int64_t>() < 5);
    manifold.render(tiles, 2, 1);
    const Views repeated = again.render(tiles, 3, 17);
    CHECK(at::equal(views.pixels, repeated.pixels));
    CHECK(at::equal(views.lab, repeated.lab));
    CHECK(!at::equal(views.pixels, manifold.render(tiles, 3, 18).pixels));
    CHECK((views.pixels.narrow(0, 0, 8) - views.pixels.narrow(0, 8, 8)).abs().max().item<double>() > 0.01);
    std::set<std::int64_t> sums;
    for (std::int64_t lab = 0; lab < 5; ++lab)
      sums.insert(manifold.render_lab(tiles, lab).sum().item<std::int64_t>());
    CHECK(sums.size() == 5);
  }
}

TEST_CASE("spreads of zero leave every tile as it came") {
  for (const NamedRecipe& recipe : recipes(0.0)) {
    CAPTURE(recipe.name);
    ManifoldOptions options = options_of(recipe);
    options.geometry = false;
    const Views views = Manifold(options, 1).render(hard_tiles(24), 2, 5);
    // float32 through a 3 x 3 map, log and exp: a hundredth of a grey level.
    CHECK((views.pixels - views.source.repeat({2, 1, 1, 1})).abs().max().item<double>() < 4e-5);
  }
}

TEST_CASE("the recipe of H&E is the one that the options' spreads stand for") {
  ManifoldOptions plain, spelt;
  spelt.transforms = he_transforms(plain);
  const at::Tensor tiles = stained_tiles(4, 32);
  const Views a = Manifold(plain, 5).render(tiles, 2, 9), b = Manifold(spelt, 5).render(tiles, 2, 9);
  CHECK(at::equal(a.pixels, b.pixels));
  CHECK(at::equal(a.lab, b.lab));
}

TEST_CASE("a stain, gain and gamma in one pass are those in three") {
  using namespace transform;
  const transform::Stain stain = hdab(1);
  const at::Tensor grey = grey_of(stained_tiles(2, 16));
  const Recipe fused({stain, Gain{0.05}, Gamma{0.1}});
  const at::Tensor theta = fused.draw(4, seeded_generator(1, 2));
  const at::Tensor once = fused.render(grey, theta);
  const at::Tensor first = Recipe({stain}).render(grey, theta.narrow(1, 0, 10));
  const at::Tensor second = Recipe({Gain{0.05}}).render(first * 255, theta.narrow(1, 10, 3));
  const at::Tensor third = Recipe({Gamma{0.1}}).render(second * 255, theta.narrow(1, 13, 1));
  // Between passes light below one grey level is clipped at 0; the tiles have none.
  CHECK((once - third).abs().max().item<double>() < 4e-5);
  CHECK((once - first).abs().max().item<double>() > 0.01);
}

TEST_CASE("HED jitter is a C + b by Ruifrok's matrix, a pixel at a time") {
  const at::Tensor tiles = noise_tiles(1, 6), grey = grey_of(tiles);
  const at::Tensor theta = at::tensor({0.04F, -0.03F, 0.05F, 0.02F, -0.04F, 0.01F}).view({1, 6});
  const at::Tensor fast = Recipe({transform::Hed{0.05, 0.05}}).render(grey, theta);
  at::Tensor m = at::tensor({0.65, 0.07, 0.27, 0.70, 0.99, 0.57, 0.29, 0.11, 0.78}, at::kDouble).view({3, 3});
  m = m / m.norm(2, 0, true);
  const at::Tensor inverse = m.inverse();
  for (std::int64_t y = 0; y < 6; ++y) {
    for (std::int64_t x = 0; x < 6; ++x) {
      const at::Tensor density =
          -((grey.select(0, 0).select(1, y).select(1, x).to(at::kDouble) + 1) / 240).log();
      at::Tensor c = inverse.matmul(density);
      for (int k = 0; k < 3; ++k) {
        c[k] = c[k] * (1 + theta[0][k].item<double>()) + theta[0][3 + k].item<double>();
      }
      const at::Tensor light = (((-m.matmul(c)).exp() * 240).clamp_max(256) - 1).clamp(0, 255) / 255;
      CHECK((light - fast.select(0, 0).select(1, y).select(1, x)).abs().max().item<double>() < 4e-5);
    }
  }
}

TEST_CASE("uniform amounts stay within their sigmas and fill them") {
  transform::Stain stain;
  stain.concentration = 0.2;
  stain.background = 0.1;
  stain.uniform = true;
  const at::Tensor drawn = Recipe({stain}).draw(20000, seeded_generator(3, 1));
  const at::Tensor a = drawn.narrow(1, 0, 2).exp(), b = drawn.narrow(1, 2, 2);
  CHECK(a.min().item<double>() >= 0.8 - 1e-6);
  CHECK(a.max().item<double>() <= 1.2 + 1e-6);
  CHECK(a.mean().item<double>() == doctest::Approx(1.0).epsilon(0.005));
  CHECK(a.std().item<double>() == doctest::Approx(0.2 / std::sqrt(3.0)).epsilon(0.02));
  CHECK(b.abs().max().item<double>() <= 0.1 + 1e-6);
  CHECK(b.std().item<double>() == doctest::Approx(0.1 / std::sqrt(3.0)).epsilon(0.02));
  CHECK(drawn.narrow(1, 4, 6).abs().max().item<double>() == 0);
}

TEST_CASE("light: background, window and bias field by their formulas") {
  const at::Tensor light = grey_of(noise_tiles(1, 8)) / 255;
  at::Tensor pixels = light.clone();
  add_background(pixels, at::tensor({0.1F, -0.1F, 0.0F}).view({1, 3}));
  CHECK((pixels.select(1, 0) - (light.select(1, 0) + 0.1).clamp(0, 1)).abs().max().item<double>() < 1e-6);
  CHECK((pixels.select(1, 1) - (light.select(1, 1) - 0.1).clamp(0, 1)).abs().max().item<double>() < 1e-6);

  pixels = light.clone();
  change_window(pixels, at::tensor({0.1F, 0.1F, 0.1F, 0.2F, 0.2F, 0.2F}).view({1, 6}));
  CHECK((pixels - ((light - 0.1) / (std::exp(0.2) - 0.1)).clamp(0, 1)).abs().max().item<double>() < 1e-6);

  pixels = light.clone();
  at::Tensor coefficients = at::zeros({1, 15});
  for (int k = 0; k < 5; ++k) coefficients[0][5 + k] = 0.1 * (k + 1);  // of the second channel
  multiply_bias(pixels, coefficients);
  CHECK(at::equal(pixels.select(1, 0), light.select(1, 0)));
  const double x = (5 + 0.5) / 4 - 1, y = (2 + 0.5) / 4 - 1;
  const double field =
      0.1 * x + 0.2 * y + 0.3 * (1.5 * x * x - 0.5) + 0.4 * x * y + 0.5 * (1.5 * y * y - 0.5);
  CHECK(pixels[0][1][2][5].item<double>() ==
        doctest::Approx(std::min(1.0, light[0][1][2][5].item<double>() * std::exp(field))).epsilon(1e-5));
}

TEST_CASE("noise is normal, of the deviation asked for, and its own in every view and channel") {
  const transform::Noise noise{0.05, 0, 0};
  at::Tensor pixels = at::full({2, 3, 64, 64}, 0.5F);
  add_noise(pixels, noise, at::full({2, 1}, 0.05F), at::tensor({7, 8}, at::kLong));
  const at::Tensor field = (pixels - 0.5) / 0.05;
  CHECK(std::abs(field.mean().item<double>()) < 0.03);  // 24,576 numbers: 4.7 standard errors
  CHECK(field.std().item<double>() == doctest::Approx(1).epsilon(0.02));
  CHECK(field.pow(4).mean().item<double>() == doctest::Approx(3).epsilon(0.07));
  const auto correlation = [&](const at::Tensor& a, const at::Tensor& b) {
    return std::abs((a * b).mean().item<double>());
  };
  CHECK(correlation(field[0], field[1]) < 0.04);
  CHECK(correlation(field[0][0], field[0][1]) < 0.07);
  CHECK(correlation(field.narrow(3, 0, 63), field.narrow(3, 1, 63)) < 0.03);

  at::Tensor grey = at::full({1, 3, 16, 16}, 0.5F);
  add_noise(grey, {0.05, 0, 1}, at::full({1, 1}, 0.05F), at::tensor({7}, at::kLong));
  CHECK(at::equal(grey.select(1, 0), grey.select(1, 2)));
  at::Tensor black = at::zeros({1, 3, 16, 16});
  add_noise(black, {0.05, 1, 0}, at::full({1, 1}, 0.05F), at::tensor({7}, at::kLong));
  CHECK(black.max().item<double>() == 0);  // no photons, no noise
}

TEST_CASE("what the channels have in common") {
  const at::Tensor same = Recipe({transform::Window{0.1, 0.2, 1}}).draw(50, seeded_generator(1, 1));
  CHECK(at::equal(same.select(1, 0), same.select(1, 2)));
  CHECK(at::equal(same.select(1, 3), same.select(1, 5)));
  CHECK(!at::equal(same.select(1, 0), same.select(1, 3)));
  const at::Tensor own = Recipe({transform::Gain{1, 0}}).draw(4000, seeded_generator(1, 1));
  CHECK(std::abs((own.select(1, 0) * own.select(1, 1)).mean().item<double>()) < 0.08);
}

TEST_CASE("CIELAB there and back, and a colour that everybody knows") {
  const at::Tensor rgb = grey_of(noise_tiles(2, 16)).to(at::kDouble) / 255;
  CHECK((srgb_of_cielab(cielab_of_srgb(rgb)) - rgb).abs().max().item<double>() < 1e-3);
  const at::Tensor red =
      cielab_of_srgb(at::tensor({1.0, 0.0, 0.0}, at::kDouble).view({1, 3, 1, 1})).flatten();
  CHECK(red[0].item<double>() == doctest::Approx(53.2408).epsilon(1e-3));
  CHECK(red[1].item<double>() == doctest::Approx(80.0925).epsilon(1e-3));
  CHECK(red[2].item<double>() == doctest::Approx(67.2032).epsilon(1e-3));
}

TEST_CASE("a tile takes the template's mean and deviation") {
  const at::Tensor tile = two_stain_tile(kReferenceStains, {7, 3, 5, 11}, 0.6, 32).unsqueeze(0);
  const at::Tensor before = lab_statistics(tile);
  at::Tensor target = before.clone();
  target[0][0] += 3.0;  // lighter
  target[0][4] *= 0.8;  // less varied between green and red
  const at::Tensor moved = to_lab_template(grey_of(tile) / 255, target.to(at::kFloat));
  const at::Tensor after =
      lab_statistics((moved * 255).round().to(at::kByte).permute({0, 2, 3, 1}).contiguous());
  CHECK((after - target).abs().max().item<double>() < 0.2);  // rounding to grey levels, and a little clipping
  CHECK((after - before).abs().max().item<double>() > 1);
}

TEST_CASE("stains far from the reference are refused") {
  transform::Stain brown = hdab(0);
  const Stains he = {{{0.65, 0.07}, {0.70, 0.99}, {0.29, 0.11}}};
  const at::Tensor density =
      optical_density(grey_of(two_stain_tile(he, {7, 3, 5, 11}, 1.0, 64).unsqueeze(0)));
  const Separation refused = separate_stains_like(brown, density);
  CHECK(refused.status[0].item<std::int64_t>() == 1);
  CHECK(degrees_between(refused.stains[0].select(1, 1), at::tensor({0.27F, 0.57F, 0.78F})) < 0.01);
  brown.tolerance = 180;
  CHECK(separate_stains_like(brown, density).status[0].item<std::int64_t>() == 0);

  Stains truth = {{{0.65, 0.27}, {0.70, 0.57}, {0.29, 0.78}}};
  const at::Tensor tile = two_stain_tile(truth, {7, 3, 5, 11}, 1.0, 64).unsqueeze(0);
  brown.tolerance = 25;
  const Separation found = separate_stains_like(brown, optical_density(grey_of(tile)));
  CHECK(found.status[0].item<std::int64_t>() == 0);
  CHECK(degrees_between(found.stains[0].select(1, 1), at::tensor({0.27F, 0.57F, 0.78F})) <
        12);  // no pixel is pure
  brown.estimate = false;
  CHECK(separate_stains_like(brown, optical_density(grey_of(tile))).status[0].item<std::int64_t>() == 1);
}

TEST_CASE("several stains: each tile by its own, labels in ranges") {
  ManifoldOptions he, light;
  he.labs = 3;
  light.labs = 4;
  light.transforms = {transform::Gain{0.2}};
  const JointManifold joint({he, light}, 11);
  CHECK(joint.labs() == 7);
  const at::Tensor tiles = stained_tiles(5, 32), stain = at::tensor({0, 1, 0, 1, 1}, at::kLong);
  const Views views = joint.render(tiles, stain, 2, 6);
  const at::Tensor rows = at::tensor({0, 2}, at::kLong);
  const Views alone = Manifold(he, 11).render(tiles.index_select(0, rows), 2, 6);
  CHECK(at::equal(views.pixels.index_select(0, at::tensor({0, 2, 5, 7}, at::kLong)), alone.pixels));
  CHECK(at::equal(views.source.index_select(0, rows), alone.source));
  CHECK(at::equal(views.lab.index_select(0, at::tensor({0, 2, 5, 7}, at::kLong)), alone.lab));
  for (std::int64_t row = 0; row < 10; ++row) {
    const std::int64_t lab = views.lab[row].item<std::int64_t>(), kind = stain[row % 5].item<std::int64_t>();
    CHECK(lab >= (kind == 0 ? 0 : 3));
    CHECK(lab < (kind == 0 ? 3 : 7));
    CHECK(views.lab_range[row][0].item<std::int64_t>() == (kind == 0 ? 0 : 3));
    CHECK(views.lab_range[row][1].item<std::int64_t>() == (kind == 0 ? 3 : 7));
  }
  CHECK(joint.chance(stain) == doctest::Approx((2 / 3.0 + 3 / 4.0) / 5));
  CHECK(at::equal(JointManifold({he}, 11).render(tiles, {}, 2, 6).pixels,
                  Manifold(he, 11).render(tiles, 2, 6).pixels));
  CHECK(code_of([&] { joint.render(tiles, {}, 2, 0); }) == ErrorCode::option);
  CHECK(code_of([&] { joint.render(tiles, stain + 1, 2, 0); }) == ErrorCode::option);
  CHECK(code_of([&] { JointManifold({}, 1); }) == ErrorCode::option);
}

TEST_CASE("transforms out of range throw and say which") {
  using namespace transform;
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const auto code = [](Transform transform) { return code_of([&] { Recipe({transform}); }); };
  for (const Transform& wrong :
       std::vector<Transform>{Hed{-0.1, 0}, Hed{0, nan}, Gain{3}, Gain{0.1, 2}, Gamma{-1}, Background{2},
                              Window{nan, 0}, BiasField{2}, Noise{0.1, 2}, Noise{-1}, Blur{9}, Blur{1, -1},
                              Jpeg{0}, Jpeg{50, 2}, LabTemplate{{200, 0, 0}, {}, {}, {}}}) {
    CHECK(code(wrong) == ErrorCode::option);
  }
  transform::Stain same;
  same.reference = {0.5, 0.5, 0.5, 1, 1, 1};
  CHECK(code(same) == ErrorCode::option);
  CHECK(code_of([] { Recipe({}); }) == ErrorCode::option);
  try {
    Recipe({Gamma{0}, Gain{3}});
    FAIL("nothing was thrown");
  } catch (const Error& error) {
    CHECK(std::string(error.what()).find("transforms[1].spread must be between 0 and 2, got 3") !=
          std::string::npos);
  }
}
