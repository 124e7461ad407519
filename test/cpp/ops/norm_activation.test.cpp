// Normalisation, residual and rectifier in one against LibTorch's three.
#include "ops/norm_activation.h"

#include <ATen/Parallel.h>
#include <torch/csrc/autograd/autograd.h>

#include <array>
#include <cmath>

#include "ops/golden.h"
#include "testing.h"

using namespace stainfold;
using namespace stainfold::testing;

namespace {

constexpr double kEpsilon = 1e-5;

struct Problem {
  at::Tensor x, gamma, beta, residual;
  at::Tensor weight;  // of the outputs in the scalar that is differentiated
  bool relu, adds;
};

Problem problem(std::int64_t n, std::int64_t channels, std::int64_t height, std::int64_t width, bool relu,
                bool adds) {
  const auto image = [&](double phase) {
    return golden_embedding(n * channels * height, width, phase)
        .view({n, channels, height, width})
        .to(at::kFloat)
        .contiguous(at::MemoryFormat::ChannelsLast);
  };
  const at::Tensor c = at::arange(channels, at::kFloat);
  // Channels far from 0 beside their deviation, of either sign of gamma, mostly cut off or mostly not.
  const at::Tensor x =
      (image(0) * (1 + c.remainder(16).view({1, -1, 1, 1})) + 30 * c.sin().view({1, -1, 1, 1}))
          .contiguous(at::MemoryFormat::ChannelsLast);
  return {x, (c * 1.7).cos(), (c * 0.9).sin(), image(0.6), image(0.3), relu, adds};
}

struct Result {
  at::Tensor y, x, gamma, beta, residual;
};

template <typename Function>
Result differentiated(const Problem& p, Function function, at::ScalarType type) {
  const auto leaf = [&](const at::Tensor& t) { return t.to(type).detach().clone().requires_grad_(true); };
  const at::Tensor x = leaf(p.x), gamma = leaf(p.gamma), beta = leaf(p.beta), residual = leaf(p.residual);
  const at::Tensor y = function(x, gamma, beta, residual);
  std::vector<at::Tensor> inputs{x, gamma, beta};
  if (p.adds) inputs.push_back(residual);
  auto gradients = torch::autograd::grad({(y * p.weight.to(type)).sum()}, inputs);
  gradients.resize(4);
  return {y.detach(), gradients[0], gradients[1], gradients[2], gradients[3]};
}

Result slow(const Problem& p) {
  return differentiated(
      p,
      [&](const at::Tensor& x, const at::Tensor& gamma, const at::Tensor& beta, const at::Tensor& residual) {
        at::Tensor y = at::batch_norm(x, gamma, beta, {}, {}, true, 0.1, kEpsilon, false);
        if (p.adds) y = y + residual;
        return p.relu ? y.relu() : y;
      },
      at::kDouble);
}

Result fast(const Problem& p) {
  return differentiated(
      p,
      [&](const at::Tensor& x, const at::Tensor& gamma, const at::Tensor& beta, const at::Tensor& residual) {
        return ops::norm_activation(x, gamma, beta, p.adds ? std::optional(residual) : std::nullopt, kEpsilon,
                                    p.relu)
            .y;
      },
      at::kFloat);
}

}  // namespace

TEST_CASE("normalisation, residual and rectifier in one are the three, in value and gradient") {
  // Less than a row of pixels, a row and a rest, several blocks, several parts; channels that vectors divide
  // and not.
  for (const auto& [n, channels, height, width] :
       std::initializer_list<std::array<std::int64_t, 4>>{{2, 1, 1, 1},
                                                          {2, 3, 5, 7},
                                                          {3, 16, 9, 9},
                                                          {2, 17, 40, 31},
                                                          {4, 48, 60, 50},
                                                          {2, 300, 33, 8},
                                                          {5, 16, 67, 50}}) {
    for (const bool relu : {false, true}) {
      for (const bool adds : {false, true}) {
        CAPTURE(channels);
        CAPTURE(relu);
        CAPTURE(adds);
        const Problem p = problem(n, channels, height, width, relu, adds);
        REQUIRE(ops::serves_norm_activation(p.x));
        const Result expected = slow(p), got = fast(p);
        // Channels with a mean of up to 30 deviations: that many float32 ulps of what is normalised.
        CHECK(relative_error(got.y, expected.y) < 2e-5);
        CHECK(relative_error(got.gamma, expected.gamma) < 1e-4);
        CHECK(relative_error(got.beta, expected.beta) < 1e-4);
        // Of two numbers a norm gives -1 and 1, whatever they are: the gradient is what rounding leaves of 0.
        if (n * height * width > 2) CHECK(relative_error(got.x, expected.x) < 2e-4);
        CHECK(got.x.is_contiguous(at::MemoryFormat::ChannelsLast));
        if (adds) CHECK(relative_error(got.residual, expected.residual) < 1e-4);
        if (channels > 1) {
          Problem wrong = p;
          wrong.beta = p.beta + 0.05;
          CHECK(relative_error(fast(wrong).y, expected.y) > 1e-2);
        }
      }
    }
  }
}

TEST_CASE("the batch's moments are those of float64") {
  const Problem p = problem(3, 20, 33, 21, true, false);
  const ops::Normalised out = ops::norm_activation(p.x, p.gamma, p.beta, std::nullopt, kEpsilon, true);
  const at::Tensor rows = p.x.to(at::kDouble).transpose(0, 1).flatten(1);
  CHECK(relative_error(out.mean, rows.mean(1)) < 1e-7);
  CHECK(relative_error(out.variance, rows.var(1, /*unbiased=*/false)) < 1e-6);
}

TEST_CASE(
    "the activated norm is the same bytes with any number of threads, passes NaN on, and is differentiable "
    "once") {
  const Problem p = problem(4, 48, 60, 50, true, true);
  const int threads = at::get_num_threads();
  at::set_num_threads(1);
  const Result one = fast(p);
  at::set_num_threads(3);
  const Result several = fast(p);
  at::set_num_threads(threads);
  CHECK(at::equal(one.y, several.y));
  CHECK(at::equal(one.x, several.x));
  CHECK(at::equal(one.gamma, several.gamma));
  CHECK(at::equal(one.residual, several.residual));
  at::Tensor poisoned = p.x.clone();
  poisoned[1][2][3][4] = std::nan("");
  const at::Tensor y = ops::norm_activation(poisoned, p.gamma, p.beta, p.residual, kEpsilon, true).y;
  CHECK(y.select(1, 2).isnan().all().item<bool>());
  CHECK(y.select(1, 3).isfinite().all().item<bool>());
  const at::Tensor leaf = p.x.clone().requires_grad_(true);
  const at::Tensor sum = ops::norm_activation(leaf, p.gamma, p.beta, std::nullopt, kEpsilon, true).y.sum();
  CHECK(code_of([&] { torch::autograd::grad({sum}, {leaf}, {}, true, /*create_graph=*/true); }) ==
        ErrorCode::state);
}

TEST_CASE("what is not float32, channels last, on the CPU, is not served") {
  const at::Tensor x = at::zeros({2, 4, 3, 3});
  CHECK_FALSE(ops::serves_norm_activation(x));
  const at::Tensor last = x.contiguous(at::MemoryFormat::ChannelsLast);
  CHECK(ops::serves_norm_activation(last));
  CHECK_FALSE(ops::serves_norm_activation(last.to(at::kBFloat16)));
  CHECK_FALSE(ops::serves_norm_activation(last.narrow(0, 0, 0)));
}
