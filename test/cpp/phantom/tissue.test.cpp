#include <ATen/ATen.h>

#include <cmath>
#include <limits>
#include <vector>

#include "stainfold/phantom.h"
#include "testing.h"

using namespace stainfold;
using stainfold::testing::code_of;

namespace {

enum Tissue { gland, stroma, tumour, lymphocytes, fat, background };

// Mean over some tiles of what measure(concentrations) says.
template <class Measure>
double over_tiles(Tissue tissue, const Measure& measure) {
  constexpr int tiles = 10;
  double sum = 0;
  for (int seed = 0; seed < tiles; ++seed) sum += measure(phantom_concentrations(tissue, 96, 0.5, seed));
  return sum / tiles;
}

double nuclear_share(Tissue tissue) {
  return over_tiles(tissue,
                    [](const at::Tensor& c) { return (c[0] > 0.4).to(at::kDouble).mean().item<double>(); });
}

double eosin(Tissue tissue) {
  return over_tiles(tissue, [](const at::Tensor& c) { return c[1].mean().item<double>(); });
}

double empty_share(Tissue tissue) {
  return over_tiles(
      tissue, [](const at::Tensor& c) { return (c.sum(0) < 0.1).to(at::kDouble).mean().item<double>(); });
}

// Correlation of haematoxylin with itself 3 micrometres away: the coarser the nuclei, the higher.
double coarseness(Tissue tissue) {
  return over_tiles(tissue, [](const at::Tensor& c) {
    const at::Tensor h = (c[0] - c[0].mean()) / c[0].std();
    return (h.slice(1, 6) * h.slice(1, 0, -6)).mean().item<double>();
  });
}

}  // namespace

TEST_CASE("phantom: the classes and their order") {
  CHECK((phantom_tissues() ==
         std::vector<std::string>{"gland", "stroma", "tumour", "lymphocytes", "fat", "background"}));
}

TEST_CASE("phantom: a tile is a function of its arguments") {
  for (std::int64_t tissue = 0; tissue < 6; ++tissue) {
    CAPTURE(tissue);
    const at::Tensor tile = phantom_concentrations(tissue, 64, 0.5, 7);
    CHECK((tile.sizes() == at::IntArrayRef({2, 64, 64})));
    CHECK((tile.scalar_type() == at::kFloat));
    CHECK(tile.equal(phantom_concentrations(tissue, 64, 0.5, 7)));
    CHECK(!tile.equal(phantom_concentrations(tissue, 64, 0.5, 8)));
    CHECK(!tile.equal(phantom_concentrations((tissue + 1) % 6, 64, 0.5, 7)));
  }
}

TEST_CASE("phantom: a larger tile shows the same tissue and more") {
  for (std::int64_t tissue = 0; tissue < 6; ++tissue) {
    for (const std::uint64_t seed : {1, 2, 3}) {
      CAPTURE(tissue);
      CAPTURE(seed);
      const at::Tensor large = phantom_concentrations(tissue, 150, 0.5, seed);
      CHECK(large.slice(1, 0, 61).slice(2, 0, 61).equal(phantom_concentrations(tissue, 61, 0.5, seed)));
    }
  }
}

TEST_CASE("phantom: sizes are micrometres, so a finer scan averages to the coarser one") {
  for (const Tissue tissue : {gland, stroma, tumour, lymphocytes, fat}) {
    CAPTURE(tissue);
    const at::Tensor fine = at::avg_pool2d(phantom_concentrations(tissue, 192, 0.25, 5), 2).flatten();
    const at::Tensor coarse = phantom_concentrations(tissue, 96, 0.5, 5).flatten();
    const at::Tensor together = at::corrcoef(at::stack({fine, coarse}));
    // Not 1: edges soften with the pixel, and detail below it fades.
    CHECK(together[0][1].item<double>() > 0.95);
    CHECK(std::abs(fine.mean().item<double>() / coarse.mean().item<double>() - 1) < 0.05);
    // Another seed, for scale.
    const at::Tensor other = phantom_concentrations(tissue, 96, 0.5, 6).flatten();
    CHECK(at::corrcoef(at::stack({other, coarse}))[0][1].item<double>() < 0.8);
  }
}

TEST_CASE("phantom: concentrations are finite, never negative, and stain like a section") {
  for (std::int64_t tissue = 0; tissue < 6; ++tissue) {
    for (std::uint64_t seed = 0; seed < 12; ++seed) {
      for (const double mpp : {0.25, 0.5, 2.0}) {
        const at::Tensor tile = phantom_concentrations(tissue, 64, mpp, seed);
        CHECK(at::isfinite(tile).all().item<bool>());
        CHECK(tile.min().item<float>() >= 0.0F);
        CHECK(tile.max().item<float>() < 2.5F);
        // 99 of 100 pixels within 1.8: an optical density of about 1.3 in each channel.
        CHECK(tile[0].flatten().quantile(0.99).item<float>() < 1.8F);
      }
    }
  }
}

TEST_CASE("phantom: the classes differ as tissues do") {
  const double in_lymphocytes = nuclear_share(lymphocytes), in_tumour = nuclear_share(tumour);
  const double in_gland = nuclear_share(gland), in_stroma = nuclear_share(stroma),
               in_fat = nuclear_share(fat);
  CHECK(std::min(in_lymphocytes, in_tumour) > in_gland);
  CHECK(in_gland > in_stroma);
  CHECK(in_stroma > in_fat);
  CHECK(in_fat > nuclear_share(background));
  for (const Tissue other : {gland, tumour, lymphocytes, fat, background})
    CHECK(eosin(stroma) > eosin(other));
  CHECK(empty_share(background) > 0.9);
  CHECK(empty_share(fat) > 0.4);
  CHECK(empty_share(fat) < 0.95);
  CHECK(empty_share(tumour) < 0.1);
  CHECK(coarseness(tumour) > coarseness(lymphocytes) + 0.05);
}

TEST_CASE("phantom: any size, also one pixel") {
  for (std::int64_t tissue = 0; tissue < 6; ++tissue) {
    CHECK((phantom_concentrations(tissue, 1, 10, 0).sizes() == at::IntArrayRef({2, 1, 1})));
  }
}

TEST_CASE("phantom: what it refuses") {
  const auto call = [](std::int64_t tissue, std::int64_t size, double mpp) {
    return code_of([&] { phantom_concentrations(tissue, size, mpp, 0); });
  };
  CHECK(call(-1, 64, 0.5) == ErrorCode::option);
  CHECK(call(6, 64, 0.5) == ErrorCode::option);
  CHECK(call(0, 0, 0.5) == ErrorCode::option);
  CHECK(call(0, 16385, 0.5) == ErrorCode::option);
  for (const double mpp : {0.0, -1.0, 11.0, std::numeric_limits<double>::quiet_NaN()}) {
    CHECK(call(0, 64, mpp) == ErrorCode::option);
  }
}
