// The manifold as the trainer sees it: order, labels, determinism, and content it must survive.
#include "stainfold/manifold.h"

#include <set>

#include "stain/geometry.h"
#include "stain/random.h"
#include "stain/virtual_lab.h"
#include "tissue.h"

using namespace stainfold;
using namespace stainfold::testing;

namespace {

double distance(const at::Tensor& a, const at::Tensor& b) { return (a - b).abs().mean().item<double>(); }

bool in_unit_range(const at::Tensor& image) {
  return image.isfinite().all().item<bool>() && image.min().item<double>() >= 0 &&
         image.max().item<double>() <= 1;
}

// Stain and scanner curve only: what a view's lab alone decides.
ManifoldOptions without_texture() {
  ManifoldOptions options;
  options.blur = 0;
  options.jpeg_quality_min = 100;
  options.geometry = false;
  return options;
}

}  // namespace

TEST_CASE("views are view-major and carry their lab") {
  ManifoldOptions options = without_texture();
  options.jitter = 0;
  const Manifold manifold(options, 7);
  const at::Tensor tiles = stained_tiles(3, 32);
  const Views views = manifold.render(tiles, 4, 11);
  CHECK(views.pixels.sizes() == at::IntArrayRef({12, 3, 32, 32}));
  CHECK(views.source.sizes() == at::IntArrayRef({3, 3, 32, 32}));
  CHECK(views.lab.sizes() == at::IntArrayRef({12}));
  CHECK((views.pixels.scalar_type() == at::kFloat));
  CHECK((views.lab.scalar_type() == at::kLong));
  CHECK((views.source * 255 - planes(tiles)).abs().max().item<double>() < 1e-4);
  CHECK(in_unit_range(views.pixels));
  for (std::int64_t row = 0; row < 12; ++row) {
    const std::int64_t lab = views.lab[row].item<std::int64_t>();
    REQUIRE(lab >= 0);
    REQUIRE(lab < options.labs);
    // Without jitter a view is its lab's rendering, but for the rounding to grey levels.
    const at::Tensor expected = planes(manifold.render_lab(tiles, lab)).select(0, row % 3) / 255;
    CHECK((views.pixels[row] - expected).abs().max().item<double>() < 0.51 / 255);
  }
}

TEST_CASE("labs differ from each other more than views within a lab") {
  const ManifoldOptions options = without_texture();
  const Manifold manifold(options, 3);
  const at::Tensor tiles = stained_tiles(2, 32);
  double between = 0, within = 0;
  int pairs_between = 0, pairs_within = 0;
  const Views views = manifold.render(tiles, 64, 1);
  for (std::int64_t i = 0; i < 128; i += 2) {
    for (std::int64_t j = i + 2; j < 128; j += 2) {
      const bool same = views.lab[i].item<std::int64_t>() == views.lab[j].item<std::int64_t>();
      (same ? within : between) += distance(views.pixels[i], views.pixels[j]);
      ++(same ? pairs_within : pairs_between);
    }
  }
  REQUIRE(pairs_within > 20);
  // The jitter is a quarter of the spread between labs.
  CHECK(within / pairs_within < 0.6 * between / pairs_between);
  CHECK(within > 0);
}

TEST_CASE("labs are a function of options and seed alone, and a lab's picture differs from the next") {
  const at::Tensor tiles = stained_tiles(1, 32);
  const Manifold first(ManifoldOptions{}, 5), again(ManifoldOptions{}, 5), other(ManifoldOptions{}, 6);
  first.render(tiles, 2, 1);  // must not matter
  std::set<std::int64_t> sums;
  for (std::int64_t lab = 0; lab < first.options().labs; ++lab) {
    const at::Tensor picture = first.render_lab(tiles, lab);
    CHECK(picture.sizes() == tiles.sizes());
    CHECK((picture.scalar_type() == at::kByte));
    CHECK(picture.is_contiguous());
    CHECK(at::equal(picture, again.render_lab(tiles, lab)));
    sums.insert(picture.sum().item<std::int64_t>());
  }
  CHECK(sums.size() == static_cast<std::size_t>(first.options().labs));
  CHECK(!at::equal(first.render_lab(tiles, 0), other.render_lab(tiles, 0)));
}

TEST_CASE("a rendering depends on seed and step alone") {
  const at::Tensor tiles = stained_tiles(4, 48);
  const Manifold manifold(ManifoldOptions{}, 9), resumed(ManifoldOptions{}, 9);
  const Views expected = manifold.render(tiles, 2, 1000);
  for (std::uint64_t step = 0; step < 3; ++step) manifold.render(tiles, 2, step);
  at::randn({100});  // the global generator is nobody's business
  const Views got = resumed.render(tiles, 2, 1000);
  CHECK(at::equal(got.pixels, expected.pixels));
  CHECK(at::equal(got.source, expected.source));
  CHECK(at::equal(got.lab, expected.lab));
  CHECK(!at::equal(manifold.render(tiles, 2, 1001).pixels, expected.pixels));
  CHECK(!at::equal(Manifold(ManifoldOptions{}, 10).render(tiles, 2, 1000).pixels, expected.pixels));
}

TEST_CASE("a tile's rendering does not depend on what its batch mates show") {
  const Manifold manifold(ManifoldOptions{}, 4);
  const at::Tensor tiles = stained_tiles(3, 32);
  at::Tensor altered = tiles.clone();
  altered[2].copy_(noise_tiles(1, 32)[0]);
  const at::Tensor one = manifold.render(tiles, 2, 8).pixels.view({2, 3, 3, 32, 32});
  const at::Tensor two = manifold.render(altered, 2, 8).pixels.view({2, 3, 3, 32, 32});
  CHECK(at::equal(one.narrow(1, 0, 2), two.narrow(1, 0, 2)));
  CHECK(!at::equal(one.select(1, 2), two.select(1, 2)));
}

TEST_CASE("geometry is drawn once a tile and shared by its views and source") {
  ManifoldOptions options = without_texture();
  options.geometry = true;
  options.concentration = options.background = options.rotation = options.gain = options.gamma = 0;
  const Manifold manifold(options, 2);
  const at::Tensor tiles = stained_tiles(16, 32);
  const Views views = manifold.render(tiles, 2, 3);
  // With no spread at all every view is the source.
  CHECK((views.pixels - views.source.repeat({2, 1, 1, 1})).abs().max().item<double>() < 1e-5);
  int moved = 0;
  for (std::int64_t i = 0; i < 16; ++i) {
    bool found = false;
    for (std::int64_t symmetry = 0; symmetry < 8 && !found; ++symmetry) {
      const at::Tensor candidate = apply_symmetry(tiles.narrow(0, i, 1), at::full({1}, symmetry, at::kLong));
      found = distance(planes(candidate)[0] / 255, views.source[i]) < 1e-6;
      moved += found && symmetry != 0;
    }
    CHECK(found);
  }
  CHECK(moved > 8);
}

TEST_CASE("the eight symmetries are distinct, and tiles that are not square keep their shape") {
  const at::Tensor image = at::arange(36, at::kFloat).view({1, 2, 6, 3}).expand({8, 2, 6, 3});
  const at::Tensor all = at::arange(8, at::kLong);
  CHECK(apply_symmetry(image, all).sizes() == image.sizes());

  const at::Tensor square = at::arange(27, at::kFloat).view({1, 3, 3, 3}).expand({8, 3, 3, 3});
  const at::Tensor moved = apply_symmetry(square, all);
  CHECK(at::equal(moved[0], square[0]));
  CHECK(at::equal(moved[3], square[0].rot90(2, {0, 1})));
  CHECK(at::equal(moved[5], square[0].rot90(-1, {0, 1})));
  CHECK(at::equal(moved[6], square[0].rot90(1, {0, 1})));
  for (int i = 0; i < 8; ++i)
    for (int j = 0; j < i; ++j) CHECK(!at::equal(moved[i], moved[j]));
}

TEST_CASE("white, black, grey, noise and tiny tiles pass through") {
  const at::Tensor tiles = at::cat({uniform_tile(255, 255, 255, 32), uniform_tile(0, 0, 0, 32),
                                    uniform_tile(128, 128, 128, 32), noise_tiles(2, 32)});
  ManifoldOptions wild;
  wild.labs = 64;
  wild.concentration = 1.4, wild.rotation = 36, wild.gain = 0.24, wild.gamma = 0.48, wild.background = 0.12;
  wild.blur = 3.2, wild.jpeg_quality_min = 1;
  for (const ManifoldOptions& options : {ManifoldOptions{}, wild}) {
    const Manifold manifold(options, 1);
    for (std::uint64_t step = 0; step < 4; ++step) {
      const Views views = manifold.render(tiles, 3, step);
      CHECK(in_unit_range(views.pixels));
      CHECK(in_unit_range(views.source));
    }
    CHECK(in_unit_range(manifold.render(uniform_tile(90, 60, 120, 1), 2, 0).pixels));
    CHECK(in_unit_range(manifold.render(stained_tiles(1, 32).slice(1, 0, 5), 2, 0).pixels));
  }
  const Manifold manifold(ManifoldOptions{}, 1);
  const at::Tensor white = manifold.render(tiles.narrow(0, 0, 1), 16, 0).pixels;
  // Only the scanner's white point reaches it: two deviations of the gain, and the tenth that jitter adds.
  CHECK(white.min().item<double>() > 0.8);
}

TEST_CASE("switching off texture changes stain and scanner not at all") {
  ManifoldOptions textured;
  textured.geometry = false;
  const at::Tensor tiles = stained_tiles(8, 32);
  const at::Tensor plain = Manifold(without_texture(), 6).render(tiles, 2, 2).pixels;
  const at::Tensor full = Manifold(textured, 6).render(tiles, 2, 2).pixels;
  int untouched = 0;
  for (std::int64_t row = 0; row < 16; ++row) untouched += at::equal(plain[row], full[row]);
  // Half are refocused, half re-compressed: a quarter escapes both.
  CHECK(untouched >= 1);
  CHECK(untouched <= 10);
}

TEST_CASE("two words mix to well-spread streams") {
  std::set<std::uint64_t> seen;
  for (std::uint64_t seed = 0; seed < 64; ++seed)
    for (std::uint64_t stream = 0; stream < 64; ++stream) seen.insert(mix(seed, stream));
  CHECK(seen.size() == 64 * 64);
  int bits = 0;  // each input bit flips about half of the output's
  for (int bit = 0; bit < 64; ++bit) bits += __builtin_popcountll(mix(1, 2) ^ mix(1, 2 ^ (1ULL << bit)));
  CHECK(bits > 64 * 28);
  CHECK(bits < 64 * 36);
}

TEST_CASE("the prior has the spreads that its options name") {
  ManifoldOptions options;
  const at::Tensor labs = draw_labs(options, 20000, seeded_generator(1, 1));
  // Cut off at two deviations a normal's deviation falls to 0.96 of its own (values beyond are moved to the
  // edge).
  const at::Tensor deviation = labs.std(0) / 0.9594;
  const double red = options.rotation * M_PI / 180, other = 0.45 * red;  // about red, and the other axes
  const double expected[] = {options.concentration,
                             options.concentration,
                             options.background,
                             options.background,
                             red,
                             other,
                             other,
                             red,
                             other,
                             other,
                             options.gain,
                             options.gain,
                             options.gain,
                             options.gamma};
  for (int column = 0; column < 14; ++column) {
    CHECK(deviation[column].item<double>() == doctest::Approx(expected[column]).epsilon(0.03));
    CHECK(labs.select(1, column).abs().max().item<double>() <= 2.0 * expected[column] * (1 + 1e-6));
  }
}

TEST_CASE("options out of range throw") {
  const auto code = [](auto change) {
    ManifoldOptions options;
    change(options);
    return code_of([&] { Manifold(options, 1); });
  };
  const double nan = std::numeric_limits<double>::quiet_NaN();
  CHECK(code([](auto& o) { o.labs = 0; }) == ErrorCode::option);
  CHECK(code([](auto& o) { o.concentration = -0.1; }) == ErrorCode::option);
  CHECK(code([&](auto& o) { o.concentration = nan; }) == ErrorCode::option);
  CHECK(code([](auto& o) { o.background = 2; }) == ErrorCode::option);
  CHECK(code([](auto& o) { o.rotation = 91; }) == ErrorCode::option);
  CHECK(code([](auto& o) { o.gain = -1; }) == ErrorCode::option);
  CHECK(code([](auto& o) { o.gamma = 3; }) == ErrorCode::option);
  CHECK(code([](auto& o) { o.blur = 9; }) == ErrorCode::option);
  CHECK(code([](auto& o) { o.jpeg_quality_min = 0; }) == ErrorCode::option);
  CHECK(code([](auto& o) { o.jpeg_quality_min = 101; }) == ErrorCode::option);
  CHECK(code([](auto& o) { o.jitter = -1; }) == ErrorCode::option);

  const Manifold manifold(ManifoldOptions{}, 1);
  const at::Tensor tiles = stained_tiles(1, 8);
  CHECK(code_of([&] { manifold.render(tiles, 0, 0); }) == ErrorCode::option);
  CHECK(code_of([&] { manifold.render_lab(tiles, 16); }) == ErrorCode::option);
  CHECK(code_of([&] { manifold.render_lab(tiles, -1); }) == ErrorCode::option);
  CHECK(code_of([&] { manifold.render(tiles.to(at::kFloat), 2, 0); }) == ErrorCode::dtype);
  CHECK(code_of([&] { manifold.render(tiles.permute({0, 3, 1, 2}), 2, 0); }) == ErrorCode::shape);
}
