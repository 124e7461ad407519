// The CUDA kernels themselves, compiled for the CPU and run by an emulated device: checked without a GPU.
#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>

#include "ops/cuda_emulation.h"
// After the emulation, which gives CUDA's words a meaning.
#include "ops/cuda/bias_activation_kernels.cuh"
#include "ops/cuda/compaction_kernels.cuh"
#include "ops/golden.h"
#include "ops/reference.h"
#include "testing.h"

using namespace stainfold;
using namespace stainfold::compaction;
using namespace stainfold::testing;

namespace {

unsigned tiles_over(std::int64_t extent) {
  return static_cast<unsigned>((extent + tile_side - 1) / tile_side);
}

// The launches of compaction_launch.cu, with splits and panel as parameters so that small inputs meet their
// seams.
template <typename T>
ValueAndGradient emulated_compaction(const at::Tensor& z, std::int32_t tiles, double temperature,
                                     const OptionalTensor& group, unsigned splits, std::int32_t panel_step) {
  const auto rows = static_cast<std::int32_t>(z.size(0)), dim = static_cast<std::int32_t>(z.size(1));
  const auto poisoned = [&](at::IntArrayRef shape) { return at::full(shape, std::nan(""), z.options()); };
  const auto data = [](const at::Tensor& x) { return x.mutable_data_ptr<T>(); };
  const at::Tensor zn = poisoned({rows, dim}), inverse_norm = poisoned({rows});
  emulate({unsigned(rows), 1}, row_threads,
          [&] { normalise_rows<T>(data(z), dim, data(zn), data(inverse_norm)); });

  const DeviceProblem<T> problem{data(zn),
                                 data(inverse_norm),
                                 group.has_value() ? group->const_data_ptr<std::int64_t>() : nullptr,
                                 rows,
                                 dim,
                                 tiles,
                                 static_cast<T>(1 / temperature)};
  const at::Tensor partials = poisoned({3, splits, rows}), lse = poisoned({rows}), loss = poisoned({});
  emulate({tiles_over(rows), splits}, tile_threads,
          [&] { forward_partials<T>(problem, data(partials[0]), data(partials[1]), data(partials[2])); });
  std::vector<double> sums((static_cast<std::size_t>(rows) - 1) / loss_threads + 1, std::nan(""));
  const auto blocks = static_cast<unsigned>(sums.size());
  emulate({blocks, 1}, loss_threads, [&] {
    finish_rows<T>(rows, tiles, static_cast<std::int32_t>(splits), data(partials[0]), data(partials[1]),
                   data(partials[2]), data(lse), sums.data());
  });
  emulate({1, 1}, loss_threads,
          [&] { finish_loss<T>(rows, static_cast<std::int32_t>(blocks), sums.data(), data(loss)); });

  const at::Tensor gradient = poisoned({rows, dim}), one = at::ones({}, z.options());
  for (std::int32_t first = 0; first < rows; first += panel_step) {
    const std::int32_t width = std::min(panel_step, rows - first);
    const at::Tensor panel = poisoned({rows, width});
    emulate({tiles_over(rows), tiles_over(width)}, tile_threads,
            [&] { weight_panel<T>(problem, data(lse), first, width, data(panel)); });
    emulate({tiles_over(rows), tiles_over(dim)}, tile_threads,
            [&] { accumulate_panel<T>(problem, data(panel), first, width, data(gradient)); });
  }
  emulate({unsigned(rows), 1}, row_threads, [&] { project_rows<T>(problem, data(one), data(gradient)); });
  return {loss, gradient};
}

void compare(const at::Tensor& z, std::int32_t tiles, unsigned splits, std::int32_t panel_step,
             const OptionalTensor& group = std::nullopt) {
  CAPTURE(z.sizes());
  const bool wide = z.scalar_type() == at::kDouble;
  const auto out = wide ? emulated_compaction<double>(z, tiles, 0.2, group, splits, panel_step)
                        : emulated_compaction<float>(z, tiles, 0.2, group, splits, panel_step);
  const auto ref = differentiate(
      [&](const at::Tensor& x) { return reference_compaction(x, tiles, 0.2, group); }, z.to(at::kDouble));
  // As for the CPU operator: 1e-10, and a few roundings of similarities of size 5 in float32.
  CHECK(relative_error(out.value, ref.value) < (wide ? 1e-10 : 1e-5));
  CHECK(gradient_error(out.gradient, ref.gradient, z, 0.2) < (wide ? 1e-10 : 2e-5));
}

}  // namespace

TEST_CASE("the CUDA kernels agree with the reference on an emulated device") {
  compare(golden_embedding(2, 1, 0.1), 1, 1, 512);
  compare(golden_embedding(70, 18, 0.1), 31, 2, 40);  // nothing is a multiple of a tile, a step or a panel
  compare(golden_embedding(130, 70, 0.1).to(at::kFloat), 65, 2, 64);

  at::Tensor hard = golden_embedding(70, 5, 0.1);
  hard[3] *= 1e6;
  hard[9].zero_();
  hard[20].copy_(hard[11]);
  compare(hard, 10, 2, 64, at::tensor({0, 0, 1, 1, 1, -1, -1, 2, 3, 9}, at::kLong));
}

TEST_CASE("a row that has nothing but excluded pairs in a split is merged without NaN") {
  // 2 tiles of one group, 130 rows in 3 splits: the middle split holds positives and excluded pairs only.
  compare(golden_embedding(130, 3, 0.1), 2, 3, 512, at::zeros({2}, at::kLong));
}

TEST_CASE("NaN passes through the CUDA kernels") {
  at::Tensor z = golden_embedding(10, 3, 0.1);
  z[4][1] = std::nan("");
  const auto out = emulated_compaction<double>(z, 5, 0.2, std::nullopt, 1, 512);
  CHECK(out.value.isnan().item<bool>());
}

TEST_CASE("LogSumExp adds in any order and merges in any parts") {
  const double s[] = {-3, 700, -1e4, 699.5, 700, 2};
  double expected = 0;
  for (const double x : s) expected += std::exp(x - 700);
  expected = 700 + std::log(expected);
  for (std::size_t cut = 0; cut <= std::size(s); ++cut) {
    LogSumExp<double> left, right;
    for (std::size_t i = 0; i < std::size(s); ++i) (i < cut ? left : right).add(s[i]);
    left.merge(right);
    CHECK(left.value() == doctest::Approx(expected).epsilon(1e-14));
  }
  LogSumExp<double> poisoned;
  poisoned.add(1);
  poisoned.add(std::nan(""));
  LogSumExp<double> sound;
  sound.add(2);
  sound.merge(poisoned);
  CHECK(std::isnan(sound.value()));
}

TEST_CASE("pairs are told apart and positives counted") {
  const std::int64_t group[] = {7, 7, -1, -1};
  const auto kind = [&](int i, int j) { return relation(row_at(i, 4, group), row_at(j, 4, group)); };
  CHECK(kind(1, 1) == Relation::self);
  CHECK(kind(1, 5) == Relation::positive);
  CHECK(kind(0, 5) == Relation::excluded);
  CHECK(kind(2, 3) == Relation::negative);  // -1 is no group
  CHECK(kind(0, 2) == Relation::negative);
  CHECK(relation(row_at(0, 4, nullptr), row_at(1, 4, nullptr)) == Relation::negative);
  for (std::int32_t rows = 2; rows < 12; ++rows) {
    for (std::int32_t tiles = 1; 2 * tiles <= rows; ++tiles) {
      for (std::int32_t tile = 0; tile < tiles; ++tile) {
        std::int32_t others = -1;
        for (std::int32_t row = tile; row < rows; row += tiles) ++others;
        CHECK(positives(rows, tiles, tile) == others);
      }
    }
  }
}

namespace {

// [N,C,H,W] float32 as the kernel has it: pixels of channels.
at::Tensor pixels_of(const at::Tensor& x) { return x.permute({0, 2, 3, 1}).contiguous(); }

at::Tensor emulated_bias_activation(const at::Tensor& y, const at::Tensor& bias,
                                    const OptionalTensor& residual, bool relu, unsigned blocks) {
  using epilogue::Pack;
  at::Tensor out = pixels_of(y).clone();
  const at::Tensor further = residual ? pixels_of(*residual) : at::Tensor();
  const auto packs = [](const at::Tensor& x) {
    return reinterpret_cast<Pack<float>*>(x.mutable_data_ptr<float>());
  };
  emulate({blocks, 1}, epilogue::threads, [&] {
    epilogue::bias_activation<float>(packs(out), packs(bias), residual ? packs(further) : nullptr,
                                     out.numel() / Pack<float>::size,
                                     static_cast<std::int32_t>(bias.numel() / Pack<float>::size), relu);
  });
  return out.permute({0, 3, 1, 2});
}

}  // namespace

TEST_CASE("the epilogue's kernel adds bias and residual and cuts at zero, wherever a block ends") {
  at::manual_seed(5);
  for (const std::int64_t channels : {16, 112}) {
    const at::Tensor y = at::randn({2, channels, 5, 7}), residual = at::randn({2, channels, 5, 7});
    const at::Tensor bias = at::randn({channels});
    for (const bool relu : {false, true}) {
      for (const unsigned blocks : {1u, 3u}) {  // fewer than packs: threads take several, some none
        const at::Tensor plain = y + bias.view({1, -1, 1, 1});
        const at::Tensor alone = relu ? plain.relu() : plain;
        const at::Tensor both = relu ? (plain + residual).relu() : plain + residual;
        CHECK(at::equal(emulated_bias_activation(y, bias, std::nullopt, relu, blocks), alone));
        CHECK(at::equal(emulated_bias_activation(y, bias, residual, relu, blocks), both));
      }
    }
  }
}

TEST_CASE("the epilogue's kernel keeps NaN: a broken activation must show") {
  at::Tensor y = at::zeros({1, 16, 1, 1});
  y[0][3].fill_(std::nan(""));
  const at::Tensor out = emulated_bias_activation(y, at::zeros({16}), std::nullopt, true, 1);
  CHECK(std::isnan(out[0][3].item<float>()));
  CHECK(out.isnan().sum().item<std::int64_t>() == 1);
}
