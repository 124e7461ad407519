#include <ATen/ATen.h>
#include <ATen/autocast_mode.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/grad_mode.h>

#include <limits>
#include <vector>

#include "ops/golden.h"
#include "ops/reference.h"
#include "stainfold/losses.h"
#include "testing.h"

using namespace stainfold;
using namespace stainfold::testing;

namespace {

// float64 agrees to 1e-10. float32: similarities of size 1/temperature carry a rounding of 1e-7 /
// temperature, and the gradient a few of them; measured 2e-6 at temperature 0.2, so 1e-5 (value) and 2e-5
// (gradient).
struct Tolerance {
  double value, gradient;
};
Tolerance tolerance(at::ScalarType type) {
  return type == at::kDouble ? Tolerance{1e-10, 1e-10} : Tolerance{1e-5, 2e-5};
}

// The operator on z as it is, against the reference on its float64 values.
void compare(const at::Tensor& z, std::int64_t tiles, double temperature,
             const OptionalTensor& group = std::nullopt) {
  CAPTURE(z.sizes());
  CAPTURE(z.scalar_type());
  CAPTURE(tiles);
  const auto out =
      differentiate([&](const at::Tensor& x) { return compaction_loss(x, tiles, temperature, group); }, z);
  const auto ref =
      differentiate([&](const at::Tensor& x) { return reference_compaction(x, tiles, temperature, group); },
                    z.to(at::kDouble));
  const Tolerance allowed = tolerance(z.scalar_type());
  CHECK((out.value.scalar_type() == z.scalar_type()));
  CHECK((out.gradient.scalar_type() == z.scalar_type()));
  CHECK(relative_error(out.value, ref.value) < allowed.value);
  CHECK(gradient_error(out.gradient, ref.gradient, z, temperature) < allowed.gradient);
}

at::Tensor normal(std::int64_t rows, std::int64_t dim, at::ScalarType type) {
  return golden_embedding(rows, dim, 0.1).to(type);
}

}  // namespace

TEST_CASE("compaction agrees with the materialised reference over sizes, dtypes and tile counts") {
  for (const at::ScalarType type : {at::kDouble, at::kFloat}) {
    for (const std::int64_t rows : {2, 7, 64, 257, 1024}) {
      for (const std::int64_t dim : {1, 8, 130, 512}) {
        compare(normal(rows, dim, type), rows / 2, 0.2);  // two views; three of one tile where rows is odd
        if (dim != 8) continue;
        compare(normal(rows, dim, type), 1, 0.2);  // every row a view of one tile
        if (rows > 7) {
          compare(normal(rows, dim, type), 3, 0.2);
          compare(normal(rows, dim, type), rows / 4, 0.2);
        }
      }
    }
  }
}

TEST_CASE("compaction agrees for outliers, duplicates, zero rows and mixed scales") {
  for (const at::ScalarType type : {at::kDouble, at::kFloat}) {
    at::Tensor outliers = normal(65, 8, type);
    outliers[3] *= 1e6;
    outliers[40] *= -1e6;
    outliers[41][2] = 1e6;
    compare(outliers, 16, 0.2);

    at::Tensor duplicates = normal(64, 8, type);
    duplicates[5].copy_(duplicates[21]);
    duplicates[6].copy_(duplicates[7]);
    compare(duplicates, 16, 0.2);
    compare(normal(1, 8, type).expand({12, 8}), 4, 0.2);

    at::Tensor zeros = normal(64, 8, type);
    zeros[0].zero_();
    zeros[17].zero_();
    zeros[33].zero_();
    compare(zeros, 16, 0.2);
    const auto out = differentiate([](const at::Tensor& x) { return compaction_loss(x, 16, 0.2); }, zeros);
    CHECK(out.gradient[17].abs().max().item<double>() == 0);
    CHECK(out.gradient.isfinite().all().item<bool>());

    const auto all_zero = differentiate([](const at::Tensor& x) { return compaction_loss(x, 3, 0.2); },
                                        at::zeros({6, 4}, type));
    CHECK(all_zero.value.item<double>() == doctest::Approx(std::log(5.0)));
    CHECK(all_zero.gradient.abs().max().item<double>() == 0);
  }
}

TEST_CASE("compaction stays finite where squares leave float32") {
  for (const double scale : {1e25, 1e-25}) {
    const at::Tensor z = normal(20, 8, at::kFloat);
    const auto scaled =
        differentiate([](const at::Tensor& x) { return compaction_loss(x, 5, 0.2); }, z * scale);
    const auto plain = differentiate([](const at::Tensor& x) { return compaction_loss(x, 5, 0.2); }, z);
    CHECK(relative_error(scaled.value, plain.value) <
          1e-6);  // float32; the loss does not depend on the scale
    CHECK(relative_error(scaled.gradient.to(at::kDouble) * scale, plain.gradient) < 1e-4);
  }
}

TEST_CASE("compaction survives temperatures at which exp alone would underflow") {
  for (const double temperature : {1e-3, 0.07, 50.0}) {
    compare(normal(70, 16, at::kDouble), 14, temperature);
    const auto out = differentiate([&](const at::Tensor& x) { return compaction_loss(x, 14, temperature); },
                                   normal(70, 16, at::kFloat));
    CHECK(out.value.isfinite().item<bool>());
    CHECK(out.gradient.isfinite().all().item<bool>());
  }
}

TEST_CASE("compaction reads strided input as it lies") {
  for (const at::ScalarType type : {at::kDouble, at::kFloat}) {
    compare(normal(24, 40, type).t(), 10, 0.2);
    compare(normal(80, 12, type).slice(0, 1, 80, 2).slice(1, 0, 12, 3), 13, 0.2);
  }
}

TEST_CASE("groups leave neighbouring tiles out of each other's logsumexp") {
  for (const at::ScalarType type : {at::kDouble, at::kFloat}) {
    for (const std::int64_t rows : {30, 1100}) {
      const at::Tensor z = normal(rows, 8, type);
      compare(z, 10, 0.2, at::tensor({0, 0, 1, 1, 1, -1, -1, 2, 3, 9}, at::kLong));
      compare(z, 10, 0.2, at::full({10}, -1, at::kLong));  // in no group: nothing is left out
      compare(z, 10, 0.2, at::zeros({10}, at::kLong));     // only positives remain
    }
  }
  const at::Tensor z = normal(30, 8, at::kDouble);
  const double all = compaction_loss(z, 10, 0.2).item<double>();
  CHECK(compaction_loss(z, 10, 0.2, at::full({10}, -1, at::kLong)).item<double>() == all);
  CHECK(compaction_loss(z, 10, 0.2, at::zeros({10}, at::kLong)).item<double>() < all - 0.1);
}

TEST_CASE("the comparison sees a planted error") {
  const at::Tensor z = normal(64, 8, at::kDouble);
  const auto ref = differentiate([](const at::Tensor& x) { return reference_compaction(x, 16, 0.2); }, z);
  const auto wrong_tiles = differentiate([](const at::Tensor& x) { return compaction_loss(x, 15, 0.2); }, z);
  const auto warmer = differentiate([](const at::Tensor& x) { return compaction_loss(x, 16, 0.2002); }, z);
  CHECK(relative_error(wrong_tiles.value, ref.value) > 1e-3);
  CHECK(gradient_error(wrong_tiles.gradient, ref.gradient, z, 0.2) > 1e-2);
  CHECK(relative_error(warmer.value, ref.value) > 1e-5);
  CHECK(gradient_error(warmer.gradient, ref.gradient, z, 0.2) > 1e-4);

  // One wrong row among an outlier's: without the scaling by |z_i| it would drown.
  at::Tensor loud = z.clone();
  loud[3] *= 1e6;
  const auto exact =
      differentiate([](const at::Tensor& x) { return reference_compaction(x, 16, 0.2); }, loud);
  at::Tensor planted = exact.gradient.clone();
  planted[3] *= 1.01;
  CHECK(gradient_error(planted, exact.gradient, loud, 0.2) > 1e-4);
  planted[3][0] = std::numeric_limits<double>::quiet_NaN();
  CHECK(gradient_error(planted, exact.gradient, loud, 0.2) > 1e30);
}

TEST_CASE("compaction's gradient is what finite differences measure") {
  const at::Tensor z = normal(13, 3, at::kDouble);
  const auto loss = [](const at::Tensor& x) {
    return compaction_loss(x, 5, 0.5, at::tensor({0, 0, -1, 2, 2}, at::kLong));
  };
  // Central differences with a step of 1e-6 are good to about 1e-9.
  CHECK(relative_error(differentiate(loss, z).gradient, finite_differences(loss, z)) < 1e-7);
}

TEST_CASE("compaction gives the golden numbers") {
  for (const GoldenContrastive& golden : golden_contrastive()) {
    for (const at::ScalarType type : {at::kDouble, at::kFloat}) {
      CAPTURE(golden.tiles);
      CAPTURE(type);
      const at::Tensor z = golden_embedding(golden.tiles * golden.views, golden.dim, 0).to(type);
      const auto out = differentiate(
          [&](const at::Tensor& x) { return compaction_loss(x, golden.tiles, golden.temperature); }, z);
      const double allowed = type == at::kDouble ? 1e-10 : 1e-5;
      CHECK(relative_error(out.value, at::scalar_tensor(golden.loss, at::kDouble)) < allowed);
      CHECK(relative_error(out.gradient.to(at::kDouble).norm(),
                           at::scalar_tensor(golden.gradient_norm, at::kDouble)) < allowed);
      // Rows of the gradient against the norm of the whole: single entries may be near 0.
      const double scale = golden.gradient_norm;
      const auto row_error = [&](const at::Tensor& row, const std::vector<double>& expected) {
        return (row.to(at::kDouble) - at::tensor(expected, at::kDouble)).norm().item<double>() / scale;
      };
      CHECK(row_error(out.gradient[0], golden.first_row) < allowed);
      CHECK(row_error(out.gradient[-1], golden.last_row) < allowed);
    }
  }
}

TEST_CASE("the incoming gradient scales the outgoing one") {
  const at::Tensor z = normal(20, 4, at::kDouble);
  const auto once = differentiate([](const at::Tensor& x) { return compaction_loss(x, 5, 0.2); }, z);
  const auto scaled = differentiate([](const at::Tensor& x) { return -3 * compaction_loss(x, 5, 0.2); }, z);
  CHECK(relative_error(scaled.gradient, -3 * once.gradient) < 1e-14);
}

TEST_CASE("double backward through compaction throws") {
  const at::Tensor z = normal(12, 4, at::kDouble).requires_grad_(true);
  const at::Tensor loss = compaction_loss(z, 4, 0.2);
  const auto gradient = torch::autograd::grad({loss}, {z}, {}, true, true);
  CHECK(code_of([&] { torch::autograd::grad({gradient[0].square().sum()}, {z}); }) == ErrorCode::state);
}

TEST_CASE("low precision is computed in float32, under autocast and inference mode too") {
  const at::Tensor z = normal(64, 16, at::kFloat);
  const at::Tensor rounded = z.to(at::kBFloat16);
  const at::Tensor expected = compaction_loss(rounded.to(at::kFloat), 16, 0.2);
  CHECK((compaction_loss(rounded, 16, 0.2).scalar_type() == at::kFloat));
  CHECK(at::equal(compaction_loss(rounded, 16, 0.2), expected));
  const auto out = differentiate([](const at::Tensor& x) { return compaction_loss(x, 16, 0.2); }, rounded);
  CHECK((out.gradient.scalar_type() == at::kBFloat16));

  const at::Tensor full = compaction_loss(z, 16, 0.2);
  at::autocast::set_autocast_enabled(at::kCPU, true);
  const at::Tensor under_autocast = compaction_loss(z, 16, 0.2);
  at::autocast::set_autocast_enabled(at::kCPU, false);
  CHECK(at::equal(under_autocast, full));
  const c10::InferenceMode inference;
  CHECK(at::equal(compaction_loss(z.clone(), 16, 0.2), full));
}

TEST_CASE("the same input gives the same bytes every time") {
  const at::Tensor z = normal(1300, 32, at::kFloat);  // more than one block either way
  const auto loss = [](const at::Tensor& x) { return compaction_loss(x, 325, 0.2); };
  const auto first = differentiate(loss, z), again = differentiate(loss, z);
  CHECK(at::equal(first.value, again.value));
  CHECK(at::equal(first.gradient, again.gradient));
  compare(z, 325, 0.2);
}

TEST_CASE("NaN reaches the loss, where the trainer looks for it") {
  at::Tensor z = normal(20, 4, at::kFloat);
  for (const double poison :
       {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()}) {
    z[7][2] = poison;
    CHECK_FALSE(compaction_loss(z, 5, 0.2).isfinite().item<bool>());
  }
}

TEST_CASE("compaction rejects what it cannot mean") {
  const at::Tensor z = at::ones({8, 3});
  CHECK(code_of([&] { compaction_loss(z[0], 1, 0.2); }) == ErrorCode::shape);
  CHECK(code_of([&] { compaction_loss(at::ones({8, 0}), 4, 0.2); }) == ErrorCode::shape);
  CHECK(code_of([&] { compaction_loss(z.to(at::kLong), 4, 0.2); }) == ErrorCode::dtype);
  CHECK(code_of([&] { compaction_loss(z, 0, 0.2); }) == ErrorCode::option);
  CHECK(code_of([&] { compaction_loss(z, 5, 0.2); }) == ErrorCode::shape);  // three tiles would have one view
  CHECK(code_of([&] { compaction_loss(z, std::numeric_limits<std::int64_t>::max(), 0.2); }) ==
        ErrorCode::shape);
  for (const double bad :
       {0.0, -1.0, std::numeric_limits<double>::infinity(), std::numeric_limits<double>::quiet_NaN()}) {
    CHECK(code_of([&] { compaction_loss(z, 4, bad); }) == ErrorCode::option);
  }
  CHECK(code_of([&] { compaction_loss(z, 4, 0.2, at::zeros({8}, at::kLong)); }) == ErrorCode::shape);
  CHECK(code_of([&] { compaction_loss(z, 4, 0.2, at::zeros({4})); }) == ErrorCode::dtype);
}
