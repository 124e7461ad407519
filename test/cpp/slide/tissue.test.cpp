#include <cmath>
#include <limits>

#include "slide/morphology.h"
#include "stainfold/slide.h"
#include "testing.h"

using namespace stainfold;
using namespace stainfold::testing;

namespace {

at::Tensor coloured(std::int64_t side, int red, int green, int blue) {
  const at::Tensor colour = at::tensor({red, green, blue}, at::kByte);
  return colour.expand({side, side, 3}).contiguous();
}

at::Tensor mask_of(const std::vector<std::string>& rows) {
  const at::Tensor mask = at::zeros(
      {static_cast<std::int64_t>(rows.size()), static_cast<std::int64_t>(rows[0].size())}, at::kByte);
  for (std::size_t y = 0; y < rows.size(); ++y) {
    for (std::size_t x = 0; x < rows[y].size(); ++x) {
      if (rows[y][x] == '#') mask[static_cast<std::int64_t>(y)][static_cast<std::int64_t>(x)] = 1;
    }
  }
  return mask;
}

}  // namespace

TEST_CASE("tissue is what has colour; dirt goes, holes close, black is none") {
  at::Tensor slide = coloured(60, 240, 238, 241);
  const at::Tensor pink = at::tensor({220, 120, 180}, at::kByte);
  slide.narrow(0, 10, 30).narrow(1, 10, 30).copy_(pink.expand({30, 30, 3}));
  slide.narrow(0, 22, 4).narrow(1, 22, 4).fill_(240);                     // a hole
  slide.narrow(0, 50, 3).narrow(1, 50, 3).copy_(pink.expand({3, 3, 3}));  // dirt
  slide.narrow(0, 45, 15).narrow(1, 0, 15).copy_(
      at::tensor({10, 0, 4}, at::kByte).expand({15, 15, 3}));  // black
  TissueOptions options;
  options.closing = 0;
  const TissueFound found = find_tissue(slide, options);
  CHECK(found.threshold >= options.least_saturation);
  CHECK(found.threshold <= options.most_saturation);
  // The 3 x 3 means widen the square by a pixel to each side.
  CHECK(found.mask.narrow(0, 10, 30).narrow(1, 10, 30).eq(1).all().item<bool>());
  CHECK(found.mask.sum().item<std::int64_t>() <= 32 * 32);
  CHECK(found.mask.narrow(0, 45, 15).sum().item<std::int64_t>() == 0);

  const TissueFound none = find_tissue(coloured(40, 240, 238, 241), options);
  CHECK(none.mask.sum().item<std::int64_t>() == 0);
}

TEST_CASE("a slide that is all tissue is not split by Otsu") {
  at::manual_seed(1);
  // Eosin and haematoxylin, both coloured: the threshold between them is no glass.
  at::Tensor slide = coloured(64, 225, 170, 200);
  slide.narrow(1, 0, 20).copy_(at::tensor({90, 60, 140}, at::kByte).expand({64, 20, 3}));
  CHECK(find_tissue(slide, {}).mask.eq(1).all().item<bool>());
}

TEST_CASE("morphology, drawn") {
  at::Tensor gap = mask_of({"##.##", "##.##", "##.##"});
  close_mask(gap.mutable_data_ptr<std::uint8_t>(), 3, 5, 1);
  CHECK(gap.eq(1).all().item<bool>());
  at::Tensor apart = mask_of({"#....#"});
  close_mask(apart.mutable_data_ptr<std::uint8_t>(), 1, 6, 1);
  CHECK(at::equal(apart, mask_of({"#....#"})));

  at::Tensor small = mask_of({"#.....", ".#....", "....##", "....##"});
  remove_small(small.mutable_data_ptr<std::uint8_t>(), 4, 6, 3);  // corners touch: an area of two
  CHECK(at::equal(small, mask_of({"......", "......", "....##", "....##"})));

  at::Tensor ring = mask_of({"#####", "#.#.#", "##.##", "#####", "..###"});
  fill_holes(ring.mutable_data_ptr<std::uint8_t>(), 5, 5,
             1);  // corners do not touch: three of one; the edge is no hole
  CHECK(at::equal(ring, mask_of({"#####", "#####", "#####", "#####", "..###"})));
}

TEST_CASE("polygons by their pixels' centres, holes and parts") {
  const auto fill = [](std::vector<double> points, std::vector<int> starts, std::vector<int> polygons) {
    return fill_polygons(at::tensor(points).view({-1, 2}), at::tensor(starts), at::tensor(polygons), 4, 6);
  };
  CHECK(
      at::equal(fill({1, 1, 4, 1, 4, 3, 1, 3}, {0}, {0}), mask_of({"......", ".###..", ".###..", "......"})));
  // Just past the centres, and just short of them.
  CHECK(at::equal(fill({0.6, 0, 2.4, 0, 2.4, 4, 0.6, 4}, {0}, {0}),
                  mask_of({".#....", ".#....", ".#....", ".#...."})));
  const std::vector<double> outer_and_hole = {0, 0, 6, 0, 6, 4, 0, 4, 2, 1, 4, 1, 4, 3, 2, 3};
  CHECK(at::equal(fill(outer_and_hole, {0, 4}, {0, 0}), mask_of({"######", "##..##", "##..##", "######"})));
  // The same rings as two polygons overlap, and are united.
  CHECK(fill(outer_and_hole, {0, 4}, {0, 1}).eq(1).all().item<bool>());
  CHECK(fill({-1e12, -1e12, 1e12, -1e12, 1e12, 1e12, -1e12, 1e12}, {0}, {0}).eq(1).all().item<bool>());
  CHECK(code_of([&] { fill({0, 0, std::nan(""), 1, 2, 2}, {0}, {0}); }) == ErrorCode::option);
}

TEST_CASE("shares of boxes count parts of pixels") {
  const at::Tensor mask = mask_of({"##..", "##..", "...."});
  const at::Tensor boxes = at::tensor({0.,  0.,  2., 2., 1.5, 0., 1., 1., 0.25, 0.25, 0.5, 0.5,
                                       -1., -1., 2., 2., 3.,  2., 1., 1., 1.,   1.,   2.,  2.})
                               .view({-1, 4});
  const at::Tensor expected = at::tensor({1.F, 0.5F, 1.F, 0.25F, 0.F, 0.25F});
  CHECK(at::allclose(box_shares(mask, boxes), expected));
}

TEST_CASE("what tiles are measured by") {
  at::manual_seed(5);
  const auto at_of = [](const at::Tensor& measures, TileMeasure measure) {
    return measures[0][static_cast<std::int64_t>(measure)].item<double>();
  };
  const at::Tensor glass = coloured(64, 241, 240, 242).unsqueeze(0);
  CHECK(at_of(tile_quality(glass, 0.5, 4), TileMeasure::stained) == 0);
  CHECK(at_of(tile_quality(at::zeros({1, 64, 64, 3}, at::kByte), 0.5, 4), TileMeasure::ink) == 0);
  CHECK(at_of(tile_quality(coloured(64, 30, 160, 60).unsqueeze(0), 0.5, 4), TileMeasure::ink) == 1);
  CHECK(at_of(tile_quality(coloured(64, 25, 25, 30).unsqueeze(0), 0.5, 4), TileMeasure::ink) == 1);
  CHECK(at_of(tile_quality(coloured(64, 200, 110, 170).unsqueeze(0), 0.5, 4), TileMeasure::ink) == 0);
  // Mean density of the pink above is 0.49: two of its sections are twice that.
  CHECK(at_of(tile_quality(coloured(64, 200, 110, 170).unsqueeze(0), 0.5, 4), TileMeasure::fold) == 0);
  CHECK(at_of(tile_quality(coloured(64, 157, 48, 113).unsqueeze(0), 0.5, 4), TileMeasure::fold) == 1);

  // Sharpness falls with blur and knows no contrast.
  const at::Tensor sharp =
      at::randint(60, 180, {1, 64, 64, 1}, at::kByte).expand({1, 64, 64, 3}).contiguous();
  const at::Tensor planes = sharp.permute({0, 3, 1, 2}).to(at::kFloat);
  const at::Tensor blurred =
      at::avg_pool2d(planes, 5, 1, 2).round().to(at::kByte).permute({0, 2, 3, 1}).contiguous();
  const at::Tensor pale = (sharp.to(at::kFloat) / 2 + 90).round().to(at::kByte);
  const double crisp = at_of(tile_quality(sharp, 0.5, 4), TileMeasure::sharpness);
  CHECK(at_of(tile_quality(blurred, 0.5, 4), TileMeasure::sharpness) < crisp / 3);
  CHECK(std::abs(at_of(tile_quality(pale, 0.5, 4), TileMeasure::sharpness) / crisp - 1) < 0.05);
  CHECK(code_of([&] { tile_quality(sharp, 0, 4); }) == ErrorCode::option);
  CHECK(code_of([&] { tile_quality(sharp, 1, 0); }) == ErrorCode::option);
}

TEST_CASE("the density is what nine in ten pixels of the mask stay below") {
  at::Tensor slide = coloured(8, 240, 240, 240);
  slide.narrow(0, 0, 4).fill_(93);  // -ln(94 / 256) is 1.0019
  at::Tensor mask = at::zeros({8, 8}, at::kByte);
  CHECK(high_density(slide, mask) == 0);
  mask.narrow(0, 0, 4).fill_(1);
  slide.narrow(0, 0, 1).narrow(1, 0, 3).fill_(0);  // three of 32 are denser
  CHECK(high_density(slide, mask) == doctest::Approx(-std::log(94.0 / 256)).epsilon(1e-6));
}

TEST_CASE("outlines and boxes beyond all numbers are refused") {
  const at::Tensor starts = at::zeros({1}, at::kInt);
  const auto outline = [&](double far) {
    const at::Tensor points = at::tensor({0.0, -far, far, far, -far, 1.0}, at::kDouble).view({3, 2});
    return code_of([&] { fill_polygons(points, starts, starts, 4, 4); });
  };
  CHECK(outline(1e308) == ErrorCode::option);
  CHECK(outline(std::numeric_limits<double>::infinity()) == ErrorCode::option);
  const auto box = [](const at::Tensor& mask, double width) {
    return code_of([&] { box_shares(mask, at::tensor({0.0, 0.0, width, 1.0}, at::kDouble).view({1, 4})); });
  };
  CHECK(box(at::ones({4, 4}, at::kByte), std::numeric_limits<double>::quiet_NaN()) == ErrorCode::option);
  CHECK(box(at::ones({0, 4}, at::kByte), 1) == ErrorCode::option);
}
