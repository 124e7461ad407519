// The programs of the tensor cores, compiled for the CPU and run by an emulated block: index arithmetic,
// layout of fragments, barriers and copies are checked without a GPU, and the error of split products is
// measured.
#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <string>

#include "ops/cuda_emulation.h"
// After the emulation, which gives CUDA's words a meaning.
#include "ops/cuda/compaction_kernels.cuh"
#include "ops/cuda/tensor_backward.cuh"
#include "ops/cuda/tensor_forward.cuh"
#include "ops/golden.h"
#include "ops/reference.h"
#include "ops/tensor_emulation.h"
#include "testing.h"

using namespace stainfold;
using namespace stainfold::compaction;
using namespace stainfold::testing;

namespace {

std::int32_t tiles_of(std::int64_t extent) {
  return static_cast<std::int32_t>((extent + split_side - 1) / split_side);
}

struct Emulated {
  at::Tensor value, gradient;
  std::string fault;
};

// The launches of tensor_launch.cu; `side` of the squares and `panel` columns small, so that small inputs
// meet their seams. 0: as on a device.
Emulated emulated_tensor_compaction(const at::Tensor& z, std::int32_t tiles, double temperature,
                                    const OptionalTensor& group = std::nullopt, std::int32_t side = 0,
                                    std::int32_t panel_columns = 512) {
  const auto rows = static_cast<std::int32_t>(z.size(0)), dim = static_cast<std::int32_t>(z.size(1));
  const std::int32_t row_tiles = tiles_of(rows), padded = row_tiles * split_side;
  const std::int32_t blocks = tiles_of(dim) * (split_side / split_depth);
  // Everything that a kernel is to write holds NaN before.
  const auto poisoned = [](at::IntArrayRef shape) { return at::full(shape, std::nan(""), at::kFloat); };
  const auto data = [](const at::Tensor& x) { return x.mutable_data_ptr<float>(); };
  const auto halves_of = [](std::int64_t columns, std::int64_t height) {
    return std::vector<std::uint16_t>(static_cast<std::size_t>(height * columns * 2), 0x7e00);
  };
  Emulated out;
  const auto run = [&](std::int64_t count, auto program) {
    const std::string fault = emulate_blocks(count, program);
    if (out.fault.empty()) out.fault = fault;
  };

  std::vector<std::uint16_t> units = halves_of(blocks * split_depth, padded);
  const at::Tensor inverse_norm = poisoned({padded});
  run(padded / 8, [&](EmulatedBlock& block, std::int64_t index) {
    split_unit_rows(block, static_cast<std::int32_t>(index * 8), data(z), rows, dim, blocks, units.data(),
                    data(inverse_norm));
  });
  const SplitProblem problem{{units.data(), blocks},
                             data(inverse_norm),
                             group.has_value() ? group->const_data_ptr<std::int64_t>() : nullptr,
                             rows,
                             dim,
                             tiles,
                             static_cast<float>(1 / temperature)};

  Squares squares = squares_of(rows);
  if (side > 0) squares = {row_tiles, side, (row_tiles - 1) / side + 1};
  const at::Tensor partials = poisoned({3, squares.slots(), rows});
  run(squares.count * squares.count, [&](EmulatedBlock& block, std::int64_t index) {
    const auto i = static_cast<std::int32_t>(index % squares.count),
               j = static_cast<std::int32_t>(index / squares.count);
    if (i <= j)
      gather_square(block, problem, squares, i, j, {data(partials[0]), data(partials[1]), data(partials[2])});
  });
  const unsigned sums = static_cast<unsigned>((rows - 1) / loss_threads + 1);
  std::vector<double> block_sums(sums, std::nan(""));
  const at::Tensor lse = poisoned({rows}), one = at::ones({}, at::kFloat);
  out.value = poisoned({});
  emulate({sums, 1}, loss_threads, [&] {
    finish_rows<float>(rows, tiles, squares.slots(), data(partials[0]), data(partials[1]), data(partials[2]),
                       data(lse), block_sums.data());
  });
  emulate({1, 1}, loss_threads, [&] {
    finish_loss<float>(rows, static_cast<std::int32_t>(sums), block_sums.data(), data(out.value));
  });

  out.gradient = poisoned({rows, dim});
  const std::int32_t step = std::min(panel_columns, padded), panel_blocks = step / split_depth;
  for (std::int32_t first = 0; first < rows; first += step) {
    const std::int32_t width = std::min(step, padded - first), across = width / split_side;
    std::vector<std::uint16_t> panel = halves_of(step, padded);
    run(row_tiles * across, [&](EmulatedBlock& block, std::int64_t index) {
      weigh_tile(block, problem, data(lse), static_cast<std::int32_t>(index / across),
                 static_cast<std::int32_t>(index % across), first, panel_blocks, panel.data());
    });
    run(row_tiles * tiles_of(dim), [&](EmulatedBlock& block, std::int64_t index) {
      pull_tile(block, problem, {panel.data(), panel_blocks}, width, first,
                static_cast<std::int32_t>(index / tiles_of(dim)),
                static_cast<std::int32_t>(index % tiles_of(dim)), data(out.gradient));
    });
  }
  run(padded / 8, [&](EmulatedBlock& block, std::int64_t index) {
    project_split_rows(block, problem, static_cast<std::int32_t>(index * 8), data(one), data(out.gradient));
  });
  return out;
}

struct Errors {
  double value, gradient;
};

Errors errors_of(const at::Tensor& z, std::int32_t tiles, const OptionalTensor& group = std::nullopt,
                 double temperature = 0.2, std::int32_t side = 0, std::int32_t panel = 512) {
  CAPTURE(z.sizes());
  CAPTURE(tiles);
  const Emulated out = emulated_tensor_compaction(z, tiles, temperature, group, side, panel);
  CHECK(out.fault == "");
  const auto ref =
      differentiate([&](const at::Tensor& x) { return reference_compaction(x, tiles, temperature, group); },
                    z.to(at::kDouble));
  const Errors found{relative_error(out.value, ref.value),
                     gradient_error(out.gradient, ref.gradient, z, temperature)};
  // The tolerances of float32 everywhere: halves keep 22 bits, and sums of more than 16 columns are rounded.
  CHECK(found.value < 1e-5);
  CHECK(found.gradient < 2e-5);
  return found;
}

at::Tensor rows_of(std::int64_t rows, std::int64_t dim) {
  return golden_embedding(rows, dim, 0.1).to(at::kFloat);
}

}  // namespace

TEST_CASE("the tensor cores' programs agree with the reference on an emulated block") {
  Errors worst{};
  const std::vector<std::pair<std::int64_t, std::vector<std::int64_t>>> sizes{{2, {1, 8, 130, 512}},
                                                                              {7, {1, 8, 130, 512}},
                                                                              {64, {1, 8, 130, 512}},
                                                                              {257, {1, 8, 512}},
                                                                              {1024, {8, 130}}};
  for (const auto& [rows, dims] : sizes) {
    for (const std::int64_t dim : dims) {
      const Errors found = errors_of(rows_of(rows, dim), static_cast<std::int32_t>(rows / 2));
      worst = {std::max(worst.value, found.value), std::max(worst.gradient, found.gradient)};
    }
  }
  MESSAGE("largest error of the value " << worst.value << ", of the gradient " << worst.gradient);
}

TEST_CASE("squares, panels and ragged edges meet without a gap, whatever their sizes") {
  const at::Tensor z = rows_of(650, 40);  // 6 tiles of rows, the last of 10
  for (const std::int32_t side : {1, 4}) errors_of(z, 325, std::nullopt, 0.2, side, 128);
  errors_of(z, 130, std::nullopt, 0.2, 2, 384);  // five views; a panel of 3 tiles, twice
  errors_of(rows_of(300, 16), 1);                // every pair is a positive
  errors_of(rows_of(301, 16), 7, std::nullopt, 0.2, 2, 256);
}

TEST_CASE("outliers, duplicates, zero rows and groups on an emulated block") {
  at::Tensor hard = rows_of(270, 9);
  hard[3] *= 1e6;
  hard[9].zero_();
  hard[200].zero_();
  hard[20].copy_(hard[11]);
  hard[150].copy_(hard[11]);
  errors_of(hard, 10);
  errors_of(hard, 10, at::tensor({0, 0, 1, 1, 1, -1, -1, 2, 3, 9}, at::kLong));
  errors_of(hard, 10, at::zeros({10}, at::kLong));  // only positives remain
  // Tiles that hold nothing but pairs that are left out: their rows have no largest similarity.
  errors_of(rows_of(260, 5), 130, at::zeros({130}, at::kLong));

  const Emulated zero = emulated_tensor_compaction(at::zeros({6, 4}), 3, 0.2);
  CHECK(zero.value.item<double>() == doctest::Approx(std::log(5.0)));
  CHECK(zero.gradient.abs().max().item<double>() == 0);
  for (const double scale : {1e25, 1e-25}) errors_of(rows_of(20, 8) * scale, 5);
}

TEST_CASE("temperatures at which exp alone would underflow, on an emulated block") {
  // s carries an error of about 2^-21 / temperature; the logsumexp must stay what the largest s is.
  for (const double temperature : {1e-3, 0.07}) {
    const at::Tensor z = rows_of(140, 16);
    const Emulated out = emulated_tensor_compaction(z, 14, temperature);
    const auto ref = differentiate(
        [&](const at::Tensor& x) { return reference_compaction(x, 14, temperature); }, z.to(at::kDouble));
    CHECK(relative_error(out.value, ref.value) < 1e-5);
    CHECK(gradient_error(out.gradient, ref.gradient, z, temperature) < 2e-6 / temperature);
  }
}

TEST_CASE("NaN passes through the tensor cores' programs") {
  at::Tensor z = rows_of(140, 3);
  for (const double poison : {std::nan(""), static_cast<double>(INFINITY)}) {
    z[4][1] = poison;
    CHECK(emulated_tensor_compaction(z, 70, 0.2).value.isnan().item<bool>());
  }
}

TEST_CASE("the comparison with the tensor cores' programs sees a planted error") {
  const at::Tensor z = rows_of(140, 16);
  const Emulated out = emulated_tensor_compaction(z, 70, 0.2);
  const auto other = differentiate([](const at::Tensor& x) { return reference_compaction(x, 70, 0.2002); },
                                   z.to(at::kDouble));
  CHECK(relative_error(out.value, other.value) > 1e-4);
  CHECK(gradient_error(out.gradient, other.gradient, z, 0.2) > 1e-4);
}

TEST_CASE("a float32 is the sum of two halves to 22 bits, or to the last bit of the least half") {
  at::manual_seed(3);
  const at::Tensor x = at::randn({20000}) * unit_scale / 16;
  double worst = 0;
  for (std::int64_t i = 0; i < x.numel(); ++i) {
    const float value = x.const_data_ptr<float>()[i];
    const Halves halves = split(value);
    const double sum = static_cast<double>(half_value(halves.high)) + half_value(halves.low);
    // Below 2^-3 the low half is a subnormal number.
    worst = std::max(worst, std::fabs(sum - value) / std::max(std::fabs(value), 0.125f));
  }
  CHECK(worst <= std::ldexp(1.0, -22));
  CHECK(worst > std::ldexp(1.0, -25));  // it is measured at all
}

TEST_CASE("halves are rounded as LibTorch rounds them") {
  std::vector<float> values{0.0f,     -0.0f, 65504.0f, 65519.9f, 65520.0f,    6.1e-5f,  5.96e-8f, 2.98e-8f,
                            2.99e-8f, 1e-9f, 2049.0f,  2051.0f,  -3.1415926f, INFINITY, -INFINITY};
  for (int i = 0; i < 4000; ++i) values.push_back(std::ldexp(1.0f + 0.00037f * i, i % 45 - 28));
  for (const float value : values) {
    const c10::Half expected(value);
    CHECK(half_bits(value) == expected.x);
    CHECK(half_value(expected.x) == static_cast<float>(expected));
  }
  CHECK(std::isnan(half_value(half_bits(NAN))));
}

TEST_CASE("the emulated block tells what a device would pass over") {
  const auto fault_of = [](auto program) {
    return emulate_blocks(1, [&](EmulatedBlock& block, std::int64_t) { program(block); });
  };
  std::vector<std::uint16_t> memory(1 << 14, 0x3c00);
  const SplitMatrix matrix{memory.data(), 1};
  const auto any = [](EmulatedBlock& block, auto address) {
    EmulatedBlock::PerThread<Fragments> held;
    block.load_matrices<false>(address, [&](int t) -> std::uint32_t(&)[4] { return held[t].left[0]; });
  };
  const auto rows = [](int thread) { return static_cast<std::uint32_t>(thread % 8 * 16); };
  CHECK(fault_of([&](EmulatedBlock& block) {
          copy_rows(block, 0, matrix, 0, 0);
          block.commit();
          block.wait<0>();
          block.sync();
          any(block, rows);
        }) == "");
  CHECK(fault_of([&](EmulatedBlock& block) {
          copy_rows(block, 0, matrix, 0, 0);
          block.commit();
          block.wait<1>();  // the group may still be under way
          block.sync();
          any(block, rows);
        }) == "read while a copy is on its way");
  CHECK(fault_of([&](EmulatedBlock& block) {
          copy_rows(block, 0, matrix, 0, 0);
          block.commit();
          block.wait<0>();
          any(block, rows);
        }) == "read without a barrier after the write");
  CHECK(fault_of([&](EmulatedBlock& block) {
          copy_rows(block, 0, matrix, 0, 0);
          block.commit();
          block.wait<0>();
          block.sync();
          any(block, rows);
          copy_rows(block, 0, matrix, 0, 0);
        }) == "written without a barrier after the read");
  CHECK(fault_of([&](EmulatedBlock& block) {
          copy_rows(block, 0, matrix, 0, 0);
          block.commit();
          block.wait<0>();
          block.sync();
          any(block, [](int thread) { return static_cast<std::uint32_t>(thread % 8 * 128); });
        }) == "bank conflict in ldmatrix");
  CHECK(fault_of([&](EmulatedBlock& block) {
          block.each([&](int thread) { block.store(thread, 0, 1.0f); });
        }) == "written by two threads without a barrier");
  CHECK(fault_of([&](EmulatedBlock& block) { block.store(0, split_shared_bytes, 1.0f); }) ==
        "outside of shared memory");
}
