// The passes over bytes against the operations on densities that say what they mean.
#include "stain/tile_pixels.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "stain/cielab.h"
#include "stain/optical_density.h"
#include "stain/ranked_values.h"
#include "stain/stained_pixels.h"
#include "stain/unmixing.h"
#include "stainfold/stain.h"
#include "tissue.h"

using namespace stainfold;
using namespace stainfold::testing;

namespace {

// Tissue, glass, black, grey, noise, and tissue in a corner; neither square nor a multiple of a run.
at::Tensor all_sorts() {
  const auto cropped = [](const at::Tensor& tiles) { return tiles.slice(1, 0, 61).slice(2, 0, 75); };
  at::Tensor corner = uniform_tile(250, 251, 249, 75);
  corner.slice(1, 0, 30).slice(2, 0, 30).copy_(stained_tiles(1, 30));
  return at::cat({cropped(stained_tiles(2, 75)), cropped(uniform_tile(255, 255, 255, 75)),
                  cropped(uniform_tile(0, 0, 0, 75)), cropped(uniform_tile(128, 128, 128, 75)),
                  cropped(noise_tiles(2, 75)), cropped(corner)})
      .contiguous();
}

at::Tensor densities(const at::Tensor& tiles) { return optical_density(planes(tiles)); }

// Values that differ by a grey level: fractions are cut off, so one beside a whole number may fall either
// way.
double share_of_differing(const at::Tensor& a, const at::Tensor& b) {
  const at::Tensor difference = (a.to(at::kInt) - b.to(at::kInt)).abs();
  return difference.max().item<int>() > 1 ? 1.0 : difference.to(at::kDouble).mean().item<double>();
}

}  // namespace

TEST_CASE("moments of bytes are those of densities") {
  const at::Tensor tiles = all_sorts();
  for (const std::int64_t sampled : {kAllPixels, std::int64_t{700}, std::int64_t{1}}) {
    CAPTURE(sampled);
    const StainedMoments found = stained_moments(tiles, sampled);
    const at::Tensor sample = sample_grid(densities(tiles), sampled).to(at::kDouble);
    const at::Tensor stained = at::amin(sample, 1).ge(kStainedDensity).to(at::kDouble);
    CHECK(found.pixels == sample.size(2));
    CHECK(at::equal(found.counted.squeeze(1), stained.sum(1)));
    CHECK(largest_difference(found.positive, sample.clamp_min(0).mean({1, 2})) <
          1e-6);  // float32 of three channels
    for (std::int64_t i = 0; i < tiles.size(0); ++i) {
      const at::Tensor held = sample[i].index_select(1, stained[i].nonzero().squeeze(1));  // [3,n]
      if (held.size(1) < 2) continue;
      CHECK(largest_difference(found.mean[i], held.mean(1)) < 1e-12);
      CHECK(largest_difference(found.covariance[i], at::cov(held)) < 1e-12);
    }
    CHECK(
        at::equal(tissue_status(found.counted.squeeze(1), found.mean, found.pixels), tissue_status(sample)));
  }
}

TEST_CASE("what tells tissue from glass is the moments' count and mean") {
  const at::Tensor tiles = all_sorts();
  for (const std::int64_t sampled : {kAllPixels, std::int64_t{700}, std::int64_t{1}}) {
    CAPTURE(sampled);
    const StainedMoments slow = stained_moments(tiles, sampled);
    const StainedMean fast = stained_mean(tiles, sampled);
    CHECK(fast.pixels == slow.pixels);
    CHECK(at::equal(fast.counted, slow.counted.squeeze(1)));
    CHECK(largest_difference(fast.mean, slow.mean) < 5e-6);  // float32 sums of 64 densities of up to 5
    CHECK(largest_difference(fast.mean, slow.mean.roll(1, 0)) > 1e-3);
  }
}

TEST_CASE("stains estimated from bytes are those estimated from densities") {
  const at::Tensor tiles = all_sorts();
  for (const std::int64_t sampled : {kAllPixels, std::int64_t{700}, std::int64_t{1}}) {
    CAPTURE(sampled);
    const Separation slow = separate_stains(densities(tiles), sampled);
    const Separation fast = separate_tile_stains(tiles, stained_moments(tiles, sampled), sampled);
    CHECK(at::equal(fast.status, slow.status));
    // Directions in float32 against angles in float64.
    CHECK(largest_difference(fast.stains, slow.stains) < 2e-6);
  }
  const Separation other = separate_stains(densities(tiles.flip(0)), kAllPixels);
  CHECK(largest_difference(other.stains, separate_stains(densities(tiles), kAllPixels).stains) > 1e-2);
}

TEST_CASE("peaks and restained tiles of bytes are those of densities") {
  const at::Tensor tiles = all_sorts();
  const at::Tensor usable = at::ones({tiles.size(0)}, at::kBool);
  for (const char* set : {"he", "hed"}) {
    CAPTURE(set);
    const at::Tensor stains = stain_matrix(set).to(at::kFloat).unsqueeze(0).repeat({tiles.size(0), 1, 1});
    const at::Tensor inverse = least_squares(stains);
    const at::Tensor amounts = at::bmm(inverse, densities(tiles).flatten(2));
    const at::Tensor peaks = peak_concentrations(amounts.unsqueeze(3));
    CHECK(largest_difference(tile_peaks(tiles, inverse), peaks) < 5e-6);  // float32 sums of three

    const at::Tensor map = at::bmm(stains * 0.8, inverse);
    const at::Tensor light = at::bmm(map, densities(tiles).flatten(2)).neg().exp().mul(kGlass);
    const at::Tensor slow = grey_tiles(light.view({tiles.size(0), 3, tiles.size(1), tiles.size(2)}));
    const at::Tensor fast = mapped_tiles(tiles, map, usable);
    CHECK(share_of_differing(fast, slow) < 1e-3);
    CHECK(share_of_differing(fast, tiles) > 0.05);
  }
}

TEST_CASE("a tile that is not usable comes out as it went in") {
  const at::Tensor tiles = all_sorts();
  at::Tensor usable = at::ones({tiles.size(0)}, at::kBool);
  usable[1] = false;
  const at::Tensor map = (at::eye(3) * 0.5).unsqueeze(0).repeat({tiles.size(0), 1, 1});
  const at::Tensor scale = at::full({tiles.size(0), 3}, 0.5), shift = at::full({tiles.size(0), 3}, 20.0);
  for (const at::Tensor& out :
       {mapped_tiles(tiles, map, usable), moved_lab_tiles(tiles, scale, shift, usable)}) {
    CHECK(at::equal(out[1], tiles[1]));
    CHECK(!at::equal(out[0], tiles[0]));
  }
}

TEST_CASE("CIELAB of bytes is that of planes, there and back") {
  const at::Tensor tiles = all_sorts();
  const at::Tensor lab = cielab_of_srgb(planes(tiles).to(at::kDouble) / 255);
  const at::Tensor flat = lab.flatten(2);
  const at::Tensor moments = tile_lab_moments(tiles);
  CHECK(largest_difference(moments.narrow(1, 0, 3), flat.mean(2)) < 2e-4);  // of 100, in float32
  CHECK(largest_difference(moments.narrow(1, 3, 3), flat.std(2)) < 2e-4);

  const at::Tensor scale = at::tensor({0.9, 1.3, 0.7}).to(at::kFloat).expand({tiles.size(0), 3});
  const at::Tensor shift = at::tensor({5.0, -8.0, 3.0}).to(at::kFloat).expand({tiles.size(0), 3});
  const auto wide = [](const at::Tensor& row) { return row.to(at::kDouble).view({-1, 3, 1, 1}); };
  const at::Tensor slow = grey_tiles(srgb_of_cielab(lab * wide(scale) + wide(shift)) * 255);
  const at::Tensor fast = moved_lab_tiles(tiles, scale, shift, at::ones({tiles.size(0)}, at::kBool));
  CHECK(share_of_differing(fast, slow) < 2e-3);
  CHECK(share_of_differing(fast, tiles) > 0.05);
}

TEST_CASE("ranked values are those of a sort: duplicates, outliers, NaN, one value and none") {
  RankedValues ranked(-1, 1);
  CHECK(std::isnan(ranked.at(0)));
  std::uint32_t state = 3;
  for (const std::int64_t count : {1, 63, 64, 5000}) {
    ranked.clear();
    std::vector<float> all;
    for (std::int64_t left = count; left > 0;) {
      const std::int64_t run = std::min<std::int64_t>(left, 700);
      float* const into = ranked.room(run);
      for (std::int64_t i = 0; i < run; ++i) {
        state = state * 1664525U + 1013904223U;
        const float value = static_cast<float>(state >> 8) / (1 << 23) - 1;
        into[i] = state % 7 == 0 ? 0.25F : state % 11 == 0 ? 90 * value : value;
        if (count > 1 && state % 13 == 0) into[i] = std::numeric_limits<float>::quiet_NaN();
        if (into[i] == into[i]) all.push_back(into[i]);
      }
      ranked.place(run);
      left -= run;
    }
    std::sort(all.begin(), all.end());
    CHECK(ranked.size() == static_cast<std::int64_t>(all.size()));
    for (std::size_t rank = 0; rank < all.size(); rank += 1 + all.size() / 50) {
      CHECK(ranked.at(static_cast<std::int64_t>(rank)) == all[rank]);
    }
    CHECK(ranked.at(-3) == all.front());
    CHECK(ranked.at(1 << 20) == all.back());
  }
}

TEST_CASE("normalised tiles are the same bytes with any number of threads") {
  const at::Tensor tiles = all_sorts();
  for (const StainMethod method : {StainMethod::macenko, StainMethod::reinhard}) {
    StainOptions options;
    options.method = method;
    const auto normalized = [&] {
      const StainFit fit = fit_stains(tiles, options);
      return normalize_stains(tiles, fit, fit.values[1].contiguous(), options).pixels;
    };
    const int threads = at::get_num_threads();
    at::set_num_threads(1);
    const at::Tensor one = normalized();
    at::set_num_threads(3);
    const at::Tensor several = normalized();
    at::set_num_threads(threads);
    CHECK(at::equal(one, several));
  }
}
