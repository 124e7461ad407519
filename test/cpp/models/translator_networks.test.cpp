#include <ATen/ATen.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/nn/module.h>

#include "models/generator.h"
#include "models/instance_conv.h"
#include "models/patch_judge.h"
#include "models/tile_range.h"
#include "models/weights.h"
#include "stainfold/models.h"
#include "testing.h"

using namespace stainfold;
using stainfold::testing::code_of;
using stainfold::testing::largest_difference;
using stainfold::testing::relative_error;

namespace {

std::int64_t parameter_count(const torch::nn::Module& module) {
  std::int64_t count = 0;
  for (const at::Tensor& parameter : module.parameters()) count += parameter.numel();
  return count;
}

// (x - mean) / sqrt(variance + epsilon) of one channel of one image at a time, in float64.
at::Tensor slow_instance_norm(const at::Tensor& x) {
  std::vector<at::Tensor> planes;
  for (std::int64_t n = 0; n < x.size(0); ++n) {
    for (std::int64_t c = 0; c < x.size(1); ++c) {
      const at::Tensor plane = x[n][c];
      planes.push_back((plane - plane.mean()) / (plane.var(/*unbiased=*/false) + 1e-5).sqrt());
    }
  }
  return at::stack(planes).view(x.sizes());
}

// Element by element: the index is mirrored at both edges.
at::Tensor slow_reflect(const at::Tensor& x, std::int64_t padding) {
  const auto mirrored = [](std::int64_t i, std::int64_t extent) {
    if (i < 0) return -i;
    return i < extent ? i : 2 * (extent - 1) - i;
  };
  std::vector<std::int64_t> rows, columns;
  for (std::int64_t i = -padding; i < x.size(2) + padding; ++i) rows.push_back(mirrored(i, x.size(2)));
  for (std::int64_t i = -padding; i < x.size(3) + padding; ++i) columns.push_back(mirrored(i, x.size(3)));
  return x.index_select(2, at::tensor(rows, at::kLong)).index_select(3, at::tensor(columns, at::kLong));
}

at::Tensor gradient_of(const at::Tensor& scalar, const at::Tensor& of) {
  return torch::autograd::grad({scalar}, {of}).front();
}

}  // namespace

TEST_CASE("the generator keeps the tile's size, whatever it is, and stays in range") {
  Generator generator(8, 2);
  initialise(generator, 1, 0.02);
  for (const std::int64_t side : {8, 32, 36, 64}) {
    CAPTURE(side);
    const at::Tensor image = generator.forward(at::rand({2, 3, side, side}).mul_(2).sub_(1));
    CHECK(image.sizes() == at::IntArrayRef({2, 3, side, side}));
    CHECK(image.abs().max().item<float>() <= 1.0f);
  }
  CHECK(generator.forward(at::rand({1, 3, 16, 32})).sizes() == at::IntArrayRef({1, 3, 16, 32}));
}

TEST_CASE("the networks have the parameters that the papers' formulas give") {
  for (const auto& [w, b] : {std::pair<std::int64_t, std::int64_t>{16, 3}, {64, 6}, {64, 9}}) {
    CHECK(parameter_count(Generator(w, b)) == 294 * w + 3 + 180 * w * w + 288 * b * w * w);
  }
  // Zhu et al.'s code counts 11,378,179 for 9 blocks; 5,248 of them are biases before norms.
  CHECK(parameter_count(Generator(64, 9)) == 11378179 - 5248);
  // And 2,764,737 for the 70 x 70 PatchGAN, 896 of them such biases.
  CHECK(parameter_count(PatchJudge(64, 3)) == 2764737 - 896);
}

TEST_CASE("the judge's grid of verdicts") {
  for (const std::int64_t layers : {1, 2, 3, 4}) {
    for (const std::int64_t side : {64, 96}) {
      CAPTURE(layers);
      CAPTURE(side);
      PatchJudge judge(4, layers);
      initialise(judge, 1, 0.02);
      const std::int64_t grid = (side >> layers) - 2;
      CHECK(judge.forward(at::rand({3, 3, side, side})).sizes() == at::IntArrayRef({3, 1, grid, grid}));
    }
  }
}

TEST_CASE("instance norm is what its formula says, in value and gradient, in training and in service") {
  const at::Tensor x = at::rand({3, 5, 7, 6}, at::kDouble).mul_(4).requires_grad_();
  const at::Tensor weights = at::rand({3, 5, 7, 6}, at::kDouble);
  const at::Tensor fast = instance_norm(x), slow = slow_instance_norm(x);
  CHECK(relative_error(fast, slow) < 1e-12);
  CHECK(relative_error(gradient_of((fast * weights).sum(), x), gradient_of((slow * weights).sum(), x)) <
        1e-10);
  CHECK(relative_error(fast * 1.001, slow) > 1e-4);  // the comparison can fail

  Generator generator(8, 1);
  initialise(generator, 1, 0.02);
  const at::NoGradGuard no_grad;
  const at::Tensor tile = at::rand({2, 3, 32, 32});
  generator.train();
  const at::Tensor training = generator.forward(tile);
  generator.eval();
  CHECK(at::equal(generator.forward(tile), training));
}

TEST_CASE("a tile's painting does not depend on its batch mates") {
  Generator generator(8, 1);
  initialise(generator, 1, 0.02);
  const at::NoGradGuard no_grad;
  const at::Tensor tiles = at::rand({5, 3, 32, 32});
  const at::Tensor together = generator.forward(tiles);
  for (std::int64_t i = 0; i < tiles.size(0); ++i) {
    // Kernels may sum in another order for another batch size: float32 rounding, no more.
    CHECK(relative_error(generator.forward(tiles.narrow(0, i, 1)), together.narrow(0, i, 1)) < 1e-5);
  }
}

TEST_CASE("both ways of reflecting the border mirror it, in value and gradient") {
  for (const std::int64_t padding : {1, 3}) {
    const at::Tensor x = at::rand({2, 3, 6, 5}, at::kDouble).requires_grad_();
    const at::Tensor slow = slow_reflect(x, padding), weights = at::rand_like(slow);
    const at::Tensor expected = gradient_of((slow * weights).sum(), x);
    for (const auto& reflect : {reflect_pad, reflect_pad_by_copies}) {
      const at::Tensor fast = reflect(x, padding);
      CHECK(at::equal(fast, slow));
      CHECK(relative_error(gradient_of((fast * weights).sum(), x), expected) < 1e-12);
    }
  }
}

TEST_CASE("bytes survive the way to images and back") {
  const at::Tensor tiles = at::arange(256, at::kByte).repeat({3}).view({1, 16, 16, 3});
  const at::Tensor images = image_of(tiles);
  CHECK(images.sizes() == at::IntArrayRef({1, 3, 16, 16}));
  CHECK(images.min().item<float>() == -1.0f);
  CHECK(images.max().item<float>() == 1.0f);
  CHECK(at::equal(tiles_of(images), tiles));
  CHECK(largest_difference(tiles_of(at::full({1, 3, 8, 8}, 1.5)).to(at::kInt), at::full({1, 8, 8, 3}, 255)) ==
        0);
}

TEST_CASE("sizes that cannot be built are refused") {
  const TranslatorConfig good{64, 16, 3, 16, 3};
  check(good);
  const auto refused = [](TranslatorConfig config) {
    return code_of([&] { check(config); }) == ErrorCode::option;
  };
  CHECK(refused({40, 16, 3, 16, 3}));
  CHECK(refused({64, 0, 3, 16, 3}));
  CHECK(refused({64, 16, 0, 16, 3}));
  CHECK(refused({64, 16, 3, 0, 3}));
  CHECK(refused({64, 16, 3, 16, 0}));
  CHECK(refused({32, 16, 3, 16, 4}));  // 2 x 2 before the last norm
}
