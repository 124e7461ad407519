// The path of slides: regions, masks and outlines at any place and of any size.
#include <cmath>

#include "fuzz/native/tensors.h"
#include "stainfold/slide.h"

namespace {

using namespace stainfold;

// What JavaScript can say exactly.
std::int64_t whole(fuzz::Input& input) {
  return input.flag() ? input.between(-64, 64) : input.take<std::int64_t>() >> 11;
}

void render(fuzz::Input& input) {
  SlideGeometry geometry{};
  geometry.x = input.number();
  geometry.y = input.number();
  geometry.scale = input.number();
  geometry.width = input.between(0, 48);
  geometry.height = input.between(0, 48);
  // The weights of one output pixel reach as far as the level does: it must stay small for a fuzzer.
  const std::int64_t width = input.between(0, 200), height = input.between(0, 200);
  std::vector<at::Tensor> held;
  std::vector<SlidePiece> pieces;
  for (std::int64_t left = input.between(0, 3); left > 0; --left) {
    const std::int64_t across = input.between(1, 40), down = input.between(1, 40);
    const std::int64_t x = whole(input), y = whole(input);
    held.push_back(fuzz::bytes_tensor(input, {down, across, 3}));
    pieces.push_back({held.back().const_data_ptr<std::uint8_t>(), x, y, across, down});
  }
  const at::Tensor region = render_region(pieces, width, height, geometry);
  fuzz::hold(region.size(0) == geometry.height && region.size(1) == geometry.width,
             "a region of another size");
  const SlideWindow window = region_window(geometry, width, height);
  fuzz::hold(window.x >= 0 && window.width >= 0 && window.x + window.width <= width,
             "a window beyond the level");
}

void outline(fuzz::Input& input) {
  const std::int64_t points = input.between(0, 24), rings = input.between(0, 4);
  const at::Tensor starts = at::empty({rings}, at::kInt), owners = at::empty({rings}, at::kInt);
  for (std::int64_t i = 0; i < rings; ++i) {
    starts.mutable_data_ptr<std::int32_t>()[i] = static_cast<std::int32_t>(input.between(-1, points + 1));
    owners.mutable_data_ptr<std::int32_t>()[i] = input.take<std::int8_t>();
  }
  const std::int64_t height = input.between(0, 40), width = input.between(0, 40);
  const at::Tensor mask = fill_polygons(fuzz::numbers(input, {points, 2}), starts, owners, height, width);
  fuzz::hold(mask.le(1).all().item<bool>(), "a mask of more than 1");
}

void shares(fuzz::Input& input) {
  const at::Tensor mask =
      fuzz::bytes_tensor(input, {input.between(0, 20), input.between(0, 20)}).bitwise_and(1);
  const at::Tensor boxes = fuzz::numbers(input, {input.between(0, 6), 4});
  const at::Tensor share = box_shares(mask, boxes);
  fuzz::hold(share.ge(0).logical_and(share.le(1)).logical_or(share.isnan()).all().item<bool>(), "no share");
}

void tissue(fuzz::Input& input) {
  TissueOptions options;
  options.least_saturation = input.number();
  options.most_saturation = input.number();
  options.closing = whole(input);
  options.smallest = whole(input);
  options.largest_hole = whole(input);
  const at::Tensor picture = fuzz::bytes_tensor(input, {input.between(1, 40), input.between(1, 40), 3});
  const at::Tensor mask = find_tissue(picture, options).mask;
  fuzz::hold(mask.le(1).all().item<bool>(), "a mask of more than 1");
  fuzz::hold(std::isfinite(high_density(picture, mask)), "no density");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input input(data, size);
  const std::int64_t work = input.between(0, 4);
  fuzz::checked([&] {
    if (work == 0) render(input);
    if (work == 1) outline(input);
    if (work == 2) shares(input);
    if (work == 3) tissue(input);
    if (work == 4) halve_region(fuzz::bytes_tensor(input, {input.between(1, 20), input.between(1, 20), 3}));
  });
  return 0;
}
