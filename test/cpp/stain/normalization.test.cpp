// Normalisers against torchstain's and scikit-image's numbers, slow references, and content without stain.
#include "stain/golden_normalization.h"
#include "stain/grey_histogram.h"
#include "stain/optical_density.h"
#include "stain/sparse_stains.h"
#include "stain/unmixing.h"
#include "stainfold/stain.h"
#include "tissue.h"

using namespace stainfold;
using namespace stainfold::testing;

namespace {

constexpr StainMethod kMethods[] = {StainMethod::macenko, StainMethod::vahadane, StainMethod::ruifrok,
                                    StainMethod::reinhard, StainMethod::histogram};

StainOptions by(StainMethod method) {
  StainOptions options;
  options.method = method;
  return options;
}

at::Tensor golden_target() { return two_stain_tile(kReferenceStains, {7, 3, 5, 11}, 1.0, 64).unsqueeze(0); }
at::Tensor golden_source() { return two_stain_tile(kReferenceStains, {3, 13, 9, 2}, 1.15, 64).unsqueeze(0); }

NormalizedTiles normalized_to(const at::Tensor& tiles, const at::Tensor& target,
                              const StainOptions& options) {
  return normalize_stains(tiles, fit_stains(tiles, options), fit_stains(target, options).values[0], options);
}

StainStatus status_at(const at::Tensor& status, int i = 0) {
  return static_cast<StainStatus>(status[i].item<std::int64_t>());
}

std::int64_t worst_level(const at::Tensor& row, const std::vector<std::int64_t>& golden) {
  return (row.flatten().to(at::kLong) - at::tensor(golden, at::kLong)).abs().max().item<std::int64_t>();
}

// Nuclei on stroma: each pixel is mostly one stain, with noise of the detector.
at::Tensor speckled_tile(const Stains& stains, double mixed, std::int64_t size) {  // -> [1,size,size,3] uint8
  at::Tensor tile = at::empty({1, size, size, 3}, at::kByte);
  auto pixel = tile.accessor<std::uint8_t, 4>();
  std::uint32_t state = 7;
  const auto uniform = [&] {
    state = state * 1664525U + 1013904223U;
    return static_cast<double>(state >> 8) / (1 << 24);
  };
  for (std::int64_t y = 0; y < size; ++y) {
    for (std::int64_t x = 0; x < size; ++x) {
      const bool nucleus = uniform() < 0.35;
      const double h = nucleus ? 0.8 + 1.2 * uniform() : mixed * 0.8 * uniform();
      const double e = nucleus ? mixed * uniform() : 0.3 + 0.9 * uniform();
      for (int k = 0; k < 3; ++k) {
        const double light = 240 * std::exp(-stains[k][0] * h - stains[k][1] * e) + 4 * (uniform() - 0.5);
        pixel[0][y][x][k] = static_cast<std::uint8_t>(std::clamp(light + 0.5, 0.0, 255.0));
      }
    }
  }
  return tile;
}

Stains columns(std::array<double, 3> a, std::array<double, 3> b) {
  const auto length = [](const auto& v) { return std::sqrt(v[0] * v[0] + v[1] * v[1] + v[2] * v[2]); };
  Stains stains;
  for (int k = 0; k < 3; ++k) stains[k] = {a[k] / length(a), b[k] / length(b)};
  return stains;
}

}  // namespace

TEST_CASE("macenko gives torchstain's image") {
  const NormalizedTiles out = normalized_to(golden_source(), golden_target(), by(StainMethod::macenko));
  CHECK(status_at(out.status) == StainStatus::ok);
  // Both cut fractions off: a value beside a whole number may fall on either side.
  CHECK(worst_level(out.pixels[0][0], kMacenkoRow0) <= 1);
  CHECK(worst_level(out.pixels[0][31], kMacenkoRow31) <= 1);
  const std::int64_t sum = out.pixels.sum().item<std::int64_t>();
  CHECK(std::abs(sum - kMacenkoSum) <= 12);  // of 12,288 values, a thousandth may differ so
}

TEST_CASE("reinhard gives torchstain's image") {
  const NormalizedTiles out = normalized_to(golden_source(), golden_target(), by(StainMethod::reinhard));
  CHECK(status_at(out.status) == StainStatus::ok);
  CHECK(worst_level(out.pixels[0][0], kReinhardRow0) <= 1);
  CHECK(worst_level(out.pixels[0][31], kReinhardRow31) <= 1);
  CHECK(std::abs(out.pixels.sum().item<std::int64_t>() - kReinhardSum) <= 12);
}

TEST_CASE("the comparator sees a wrong image") {
  const NormalizedTiles out = normalized_to(golden_source(), golden_target(), by(StainMethod::reinhard));
  CHECK(worst_level(out.pixels[0][0], kMacenkoRow0) > 1);
  CHECK(worst_level(golden_source()[0][0], kMacenkoRow0) > 1);
}

TEST_CASE("the fixed matrices give scikit-image's rgb2hed") {
  const at::Tensor rgb =
      at::tensor({150, 90, 160, 255, 255, 255, 30, 20, 90, 200, 120, 180, 1, 254, 128}, at::kDouble)
          .view({5, 3});
  const at::Tensor hed =
      at::tensor({0.04685513757994548, 0.03062865054785598, 0.021512254065671012, 0.0, 0.0, 0.0,
                  0.23338822751839794, 0.016768353853914945, 0.007507487514750874, 0.014253597485209196,
                  0.032078770614788074, 0.022498809209535266, 0.7231932311167957, 0.0, 0.0},
                 at::kDouble)
          .view({5, 3});
  const at::Tensor matrix = stain_matrix("hed");
  const at::Tensor length =
      at::tensor({std::sqrt(0.9966), std::sqrt(0.9971), std::sqrt(1.0062)}, at::kDouble);
  // scikit-image: density of I/255 in units of -ln 1e-6, vectors of Ruifrok's length, no negative amounts.
  const at::Tensor density = (rgb / 255).log().neg() / -std::log(1e-6);
  const at::Tensor amounts = at::matmul(least_squares(matrix.unsqueeze(0))[0], density.t()).t() / length;
  CHECK(largest_difference(amounts.clamp_min(0), hed) < 1e-10);
}

TEST_CASE("every set of stains is named, of unit columns, and inverted by least squares") {
  CHECK(stain_sets().size() == 9);
  for (const StainSet& set : stain_sets()) {
    CAPTURE(set.name);
    const at::Tensor matrix = stain_matrix(set.name);
    CHECK(matrix.size(1) == static_cast<std::int64_t>(set.stains.size()));
    CHECK(largest_difference(matrix.norm(2, 0), at::ones({matrix.size(1)}, at::kDouble)) < 1e-12);
    const at::Tensor inverse = least_squares(matrix.unsqueeze(0));
    CHECK(relative_error(inverse[0], at::linalg_pinv(matrix)) < 1e-12);
  }
  CHECK(code_of([] { stain_matrix("hes"); }) == ErrorCode::option);
}

TEST_CASE("vahadane finds known stains, and the same ones every time") {
  const Stains he = columns({0.5626, 0.7201, 0.4062}, {0.2159, 0.8012, 0.5581});
  const Stains ruifrok = columns({0.65, 0.70, 0.29}, {0.07, 0.99, 0.11});
  const Stains hdab = columns({0.65, 0.704, 0.286}, {0.268, 0.57, 0.776});
  for (const Stains& truth : {he, ruifrok, hdab}) {
    const at::Tensor density = optical_density(planes(speckled_tile(truth, 0.05, 64)));
    const Separation found = sparse_stains(density, 4096);
    REQUIRE(found.status[0].item<std::int64_t>() == 0);
    for (int stain = 0; stain < 2; ++stain) {
      const at::Tensor vector = at::tensor({truth[0][stain], truth[1][stain], truth[2][stain]}, at::kDouble);
      // The price turns each vector towards the other by what its pixels hold of the other, 5 in 100.
      CHECK(degrees_between(found.stains[0].select(1, stain), vector) < 1.5);
    }
    CHECK(at::equal(found.stains, sparse_stains(density, 4096).stains));
  }
}

TEST_CASE("vahadane's concentrations are the lasso's minimum") {
  const at::Tensor stains = stain_matrix("he").unsqueeze(0);
  const at::Tensor density = optical_density(planes(noise_tiles(1, 8))).to(at::kDouble);
  const at::Tensor found = sparse_concentrations(density, stains).flatten(2)[0];  // [2,64]
  const at::Tensor pixels = density.flatten(2)[0];
  CHECK(found.min().item<double>() >= 0);
  const auto cost = [&](const at::Tensor& amounts) {
    return 0.5 * (pixels - at::matmul(stains[0], amounts)).square().sum(0) + 0.01 * amounts.sum(0);
  };
  const at::Tensor best = cost(found);
  for (const double step : {1e-3, -1e-3}) {
    for (int stain = 0; stain < 2; ++stain) {
      at::Tensor moved = found.clone();
      moved[stain].add_(step).clamp_min_(0);
      CHECK((cost(moved) - best).min().item<double>() > -1e-12);  // convex: no neighbour is lower
    }
  }
}

TEST_CASE("histogram matching is scikit-image's interpolation") {
  const at::Tensor source = noise_tiles(2, 16);
  at::Tensor target = golden_target();
  const at::Tensor table = matching_levels(grey_histogram(source), grey_histogram(target)[0]);
  for (int b = 0; b < 2; ++b) {
    for (int k = 0; k < 3; ++k) {
      std::vector<double> has(256), share(256);
      const auto count = [&](const at::Tensor& tile, int channel) {
        std::vector<double> levels(256, 0.0);
        const at::Tensor values = tile.select(2, channel).flatten().to(at::kLong).contiguous();
        for (std::int64_t i = 0; i < values.numel(); ++i)
          levels[values.const_data_ptr<std::int64_t>()[i]] += 1;
        return levels;
      };
      const std::vector<double> from = count(source[b], k), to = count(target[0], k);
      double below = 0;
      for (int level = 0; level < 256; ++level) {
        if (from[level] == 0) continue;
        below += from[level];
        const double wanted = below / 256;  // share of the source's 256 pixels
        // np.interp(wanted, cumulated shares, levels) over the levels that occur
        double before = 0, previous = -1, expected = -1, reached = 0;
        for (int other = 0; other < 256 && expected < 0; ++other) {
          if (to[other] == 0) continue;
          reached = before + to[other] / 4096;
          if (reached >= wanted - 1e-12) {
            expected =
                previous < 0 ? other : previous + (wanted - before) / (reached - before) * (other - previous);
          }
          before = reached;
          previous = other;
        }
        CHECK(table[b][k][level].item<double>() == doctest::Approx(expected).epsilon(1e-9));
      }
    }
  }
}

TEST_CASE("a tile normalised to itself stays, and one normalised to another looks like it") {
  const at::Tensor source = speckled_tile(columns({0.60, 0.72, 0.35}, {0.15, 0.95, 0.25}), 0.2, 64);
  const at::Tensor target =
      speckled_tile(columns({0.5626, 0.7201, 0.4062}, {0.2159, 0.8012, 0.5581}), 0.2, 64);
  for (const StainMethod method : kMethods) {
    CAPTURE(static_cast<int>(method));
    const at::Tensor same = normalized_to(source, source, by(method)).pixels;
    // Two stains make a plane: the noise across it is lost, and fractions are cut off. Ruifrok's plane is not
    // this tile's, and what lies across it is tissue.
    const double most = method == StainMethod::ruifrok ? 8.0 : 3.0;
    CHECK((same.to(at::kFloat) - source.to(at::kFloat)).abs().mean().item<double>() < most);
    const at::Tensor moved = normalized_to(source, target, by(method)).pixels;
    const auto mean = [](const at::Tensor& tiles) { return tiles.to(at::kFloat).mean({0, 1, 2}); };
    const double before = (mean(source) - mean(target)).norm().item<double>();
    const double after = (mean(moved) - mean(target)).norm().item<double>();
    // Ruifrok's matrix is neither tile's: it carries the difference of the stains over.
    if (method != StainMethod::ruifrok) CHECK(after < 0.4 * before);
  }
}

TEST_CASE("tiles without stain pass through, whatever the method, and say so") {
  for (const StainMethod method : kMethods) {
    const StainOptions options = by(method);
    CAPTURE(static_cast<int>(method));
    const at::Tensor reference = fit_stains(golden_target(), options).values[0];
    const auto passes = [&](const at::Tensor& tile) {
      const NormalizedTiles out = normalize_stains(tile, fit_stains(tile, options), reference, options);
      CHECK(at::equal(out.pixels, tile));
      return status_at(out.status);
    };
    CHECK(passes(uniform_tile(255, 255, 255, 32)) == StainStatus::little_tissue);
    CHECK(passes(uniform_tile(240, 241, 239, 32)) == StainStatus::little_tissue);
    CHECK(passes(uniform_tile(150, 90, 160, 1)) == StainStatus::little_tissue);
    CHECK(passes(uniform_tile(255, 255, 255, 1)) == StainStatus::little_tissue);
    CHECK(passes(uniform_tile(0, 0, 0, 32)) == StainStatus::weak_stain);
    CHECK(passes(uniform_tile(128, 128, 128, 32)) == StainStatus::weak_stain);
    CHECK(passes(noise_tiles(1, 2)) == StainStatus::little_tissue);
    // One line of pixels, and noise of all colours: any status, no NaN, no throw.
    const at::Tensor line = golden_source().slice(1, 0, 1).contiguous();
    CHECK(normalized_to(line, golden_target(), options).pixels.sizes() == line.sizes());
    const StainFit noise = fit_stains(noise_tiles(2, 32), options);
    CHECK(noise.values.isfinite().all().item<bool>());
  }
}

TEST_CASE("a weak tile's scale is held, and the status says so") {
  const at::Tensor target = golden_target();
  const at::Tensor pale = two_stain_tile(kReferenceStains, {3, 13, 9, 2}, 0.6, 64).unsqueeze(0);
  for (const StainMethod method :
       {StainMethod::macenko, StainMethod::vahadane, StainMethod::ruifrok, StainMethod::reinhard}) {
    CAPTURE(static_cast<int>(method));
    StainOptions options = by(method);
    CHECK(status_at(normalized_to(pale, target, options).status) == StainStatus::ok);
    const at::Tensor free = normalized_to(pale, target, options).pixels;
    options.clamp = 1.1;
    const NormalizedTiles held = normalized_to(pale, target, options);
    CHECK(status_at(held.status) == StainStatus::clamped);
    const auto spread = [](const at::Tensor& tiles) { return tiles.to(at::kFloat).std().item<double>(); };
    CHECK(spread(held.pixels) < spread(free));
  }
}

TEST_CASE("a batch gives what its tiles give alone, and one fit serves all") {
  const at::Tensor tiles = at::cat({golden_source(), golden_target(), uniform_tile(255, 255, 255, 64)});
  for (const StainMethod method : kMethods) {
    const StainOptions options = by(method);
    CAPTURE(static_cast<int>(method));
    const StainFit fits = fit_stains(tiles, options);
    CHECK(fits.values.size(1) == fit_width(options));
    const at::Tensor reference = fits.values[1].contiguous();
    const at::Tensor together = normalize_stains(tiles, fits, reference, options).pixels;
    for (int i = 0; i < 3; ++i) {
      const at::Tensor tile = tiles.narrow(0, i, 1);
      const at::Tensor alone = normalize_stains(tile, fit_stains(tile, options), reference, options).pixels;
      // A fraction beside a whole number may be cut to either side when sums run in another order.
      CHECK((alone.to(at::kInt) - together.narrow(0, i, 1).to(at::kInt)).abs().max().item<int>() <= 1);
    }
    const StainFit one = {fits.values.narrow(0, 0, 1), fits.status.narrow(0, 0, 1)};
    const NormalizedTiles shared = normalize_stains(tiles, one, reference, options);
    CHECK(shared.status.eq(0).all().item<bool>());
    CHECK((shared.pixels[0].to(at::kInt) - together[0].to(at::kInt)).abs().max().item<int>() <= 1);
  }
}

TEST_CASE("separation undoes the mixture, and stain images multiply to the tile") {
  const at::Tensor tile = golden_target();
  const SeparatedTiles out = separate_tiles(tile, by(StainMethod::macenko));
  CHECK(out.stains.sizes() == at::IntArrayRef({1, 3, 2}));
  CHECK(out.concentrations.sizes() == at::IntArrayRef({1, 2, 64, 64}));
  const at::Tensor density = optical_density(planes(tile));
  const at::Tensor remixed = at::bmm(out.stains, out.concentrations.flatten(2));
  CHECK(relative_error(remixed, density.flatten(2)) < 0.02);  // the tile's own rounding to grey levels

  const at::Tensor images = stain_images(out).to(at::kDouble);  // [1,2,64,64,3]
  const at::Tensor product = images.select(1, 0) * images.select(1, 1) / 240;
  const at::Tensor inside = images.lt(255).all(1);  // where no light was cut off at white
  CHECK(((product - tile.to(at::kDouble)) * inside).abs().max().item<double>() < 6.0);

  StainOptions hed = by(StainMethod::ruifrok);
  hed.stains = "hed";
  CHECK(separate_tiles(tile, hed).concentrations.size(1) == 3);
  CHECK(code_of([&] { separate_tiles(tile, by(StainMethod::reinhard)); }) == ErrorCode::option);
}

TEST_CASE("sampled pixels, and a fit of them, stand for the tiles") {
  const at::Tensor tiles = stained_tiles(4, 64);
  CHECK(at::equal(sample_pixels(tiles, 1), tiles.view({-1, 3})));
  const at::Tensor sparse = sample_pixels(tiles, 3);
  CHECK(sparse.size(0) == 4 * 22 * 22);
  CHECK(at::equal(sparse[1], tiles[0][0][3]));
  for (const StainMethod method : {StainMethod::macenko, StainMethod::ruifrok, StainMethod::reinhard}) {
    const at::Tensor all = fit_stains(tiles.view({1, -1, 1, 3}), by(method)).values;
    const at::Tensor some = fit_stains(sparse.view({1, -1, 1, 3}), by(method)).values;
    CHECK(relative_error(some, all) < 0.03);  // a ninth of the pixels
  }
}

TEST_CASE("one fit for many tiles is the median of those that hold stain") {
  const StainOptions options;
  const at::Tensor tiles = at::cat({stained_tiles(3, 64), uniform_tile(255, 255, 255, 64)});
  const StainFit fits = fit_stains(tiles, options), middle = median_fit(fits, options);
  CHECK(status_at(middle.status) == StainStatus::ok);
  const at::Tensor expected = std::get<0>(fits.values.narrow(0, 0, 3).median(0));
  CHECK(relative_error(middle.values[0].narrow(0, 6, 2), expected.narrow(0, 6, 2)) == 0.0);
  const at::Tensor matrix = middle.values[0].narrow(0, 0, 6).view({3, 2});
  CHECK(largest_difference(matrix.norm(2, 0), at::ones({2}, at::kDouble)) < 1e-12);
  CHECK(relative_error(matrix, expected.narrow(0, 0, 6).view({3, 2})) < 1e-3);  // unit length again

  const StainFit glass = fit_stains(uniform_tile(255, 255, 255, 64).expand({3, 64, 64, 3}), options);
  CHECK(status_at(median_fit(glass, options).status) == StainStatus::little_tissue);
  CHECK(code_of([&] { median_fit(fits, by(StainMethod::reinhard)); }) == ErrorCode::option);
  CHECK(code_of([&] {
          median_fit({fits.values, fits.status.narrow(0, 0, 2)}, options);
        }) == ErrorCode::shape);
}

TEST_CASE("normalisation refuses what does not fit") {
  const StainOptions options;
  const at::Tensor tile = golden_target();
  const StainFit fit = fit_stains(tile, options);
  const at::Tensor reference = published_macenko();
  CHECK(code_of([&] { fit_stains(tile.to(at::kFloat), options); }) == ErrorCode::dtype);
  CHECK(code_of([&] { fit_stains(tile[0], options); }) == ErrorCode::shape);
  CHECK(code_of([&] { normalize_stains(tile, fit, reference.narrow(0, 0, 6), options); }) ==
        ErrorCode::shape);
  const at::Tensor three = at::cat({tile, tile, tile});
  const StainFit two = fit_stains(at::cat({tile, tile}), options);
  CHECK(code_of([&] { normalize_stains(three, two, reference, options); }) == ErrorCode::shape);
  StainOptions wrong;
  wrong.clamp = 0.5;
  CHECK(code_of([&] { fit_stains(tile, wrong); }) == ErrorCode::option);
}
