#include "train/adamw.h"

#include <ATen/Parallel.h>

#include <cmath>
#include <vector>

#include "testing.h"

using namespace stainfold;
using namespace stainfold::testing;

namespace {

// AdamW as the paper writes it (algorithm 2, decay times the learning rate), on one number in float64.
struct SlowAdamW {
  double value, m = 0, v = 0;
  int t = 0;
  void step(double gradient, double rate, double decay) {
    ++t;
    m = 0.9 * m + 0.1 * gradient;
    v = 0.999 * v + 0.001 * gradient * gradient;
    const double m_hat = m / (1 - std::pow(0.9, t)), v_hat = v / (1 - std::pow(0.999, t));
    value -= rate * decay * value;
    value -= rate * m_hat / (std::sqrt(v_hat) + 1e-8);
  }
};

}  // namespace

TEST_CASE("the fused update is AdamW, decays matrices only, and scales gradients") {
  at::Tensor matrix = at::tensor({0.7f, -1.3f}).view({1, 2}), vector = at::tensor({0.4f});
  at::Tensor idle = at::tensor({5.0f});
  std::vector<SlowAdamW> slow{{0.7f}, {-1.3f}, {0.4f}};
  AdamW optimiser({{"matrix", matrix}, {"vector", vector}, {"idle", idle}}, 0.1);
  for (int t = 1; t <= 12; ++t) {
    const double a = std::sin(t), b = 3.0 * std::cos(2.0 * t), c = 0.01 * t, rate = 0.02 / t,
                 scale = t % 3 ? 1.0 : 0.25;
    optimiser.clear_gradients();
    matrix.mutable_grad() = at::tensor({static_cast<float>(a), static_cast<float>(b)}).view({1, 2});
    vector.mutable_grad() = at::tensor({static_cast<float>(c)});
    CHECK(optimiser.gradient_norm().item<double>() == doctest::Approx(std::sqrt(a * a + b * b + c * c)));
    optimiser.step(rate, t, scale);
    slow[0].step(scale * a, rate, 0.1);
    slow[1].step(scale * b, rate, 0.1);
    slow[2].step(scale * c, rate, 0.0);
    // A dozen float32 updates, each rounded once or twice.
    CHECK(matrix[0][0].item<double>() == doctest::Approx(slow[0].value).epsilon(2e-6));
    CHECK(matrix[0][1].item<double>() == doctest::Approx(slow[1].value).epsilon(2e-6));
    CHECK(vector[0].item<double>() == doctest::Approx(slow[2].value).epsilon(2e-6));
  }
  CHECK(idle.item<float>() == 5.0f);  // no gradient, no decay
}

TEST_CASE(
    "the pass on the CPU is LibTorch's update, whatever the order of memory and the number of threads") {
  const auto image = [](at::MemoryFormat format, double phase) {
    return (at::arange(40 * 33 * 9 * 4, at::kFloat) * 0.37 + phase)
        .sin()
        .view({160, 33, 3, 3})
        .contiguous(format);
  };
  const int threads = at::get_num_threads();
  for (const auto format : {at::MemoryFormat::Contiguous, at::MemoryFormat::ChannelsLast}) {
    std::vector<at::Tensor> found;
    double norm = 0;
    for (const int count : {1, 3}) {
      at::set_num_threads(count);
      at::Tensor value = image(format, 0.0), bias = at::full({5}, 0.25f);
      AdamW optimiser({{"kernel", value}, {"bias", bias}}, 0.05);
      for (int t = 1; t <= 3; ++t) {
        optimiser.clear_gradients();
        value.mutable_grad() = image(format, 0.1 * t);
        bias.mutable_grad() = at::full({5}, -0.5f);
        norm = optimiser.gradient_norm().item<double>();
        optimiser.step(0.01, t, 0.5);
      }
      found.push_back(value);
    }
    at::set_num_threads(threads);
    CHECK(at::equal(found[0], found[1]));
    CHECK(found[0].strides() == image(format, 0.0).strides());
    at::Tensor value = image(at::MemoryFormat::Contiguous, 0.0), mean = at::zeros_like(value),
               square = at::zeros_like(value);
    for (int t = 1; t <= 3; ++t) {
      std::vector<at::Tensor> values{value}, gradients{image(at::MemoryFormat::Contiguous, 0.1 * t) * 0.5},
          means{mean}, squares{square};
      at::_fused_adamw_(values, gradients, means, squares, {}, {at::full({}, static_cast<double>(t))}, 0.01,
                        0.9, 0.999, 0.05, 1e-8, false, false);
    }
    // Both round each of three updates once or twice; values are of the order of 1.
    CHECK(largest_difference(found[0], value) < 1e-6);
    CHECK(largest_difference(found[0], image(format, 0.0)) > 1e-3);
    const double expected =
        image(at::MemoryFormat::Contiguous, 0.3).to(at::kDouble).square().sum().item<double>();
    CHECK(norm == doctest::Approx(std::sqrt(expected + 5 * 0.25)).epsilon(1e-6));
  }
}

TEST_CASE("moments are named after their parameter") {
  AdamW optimiser({{"encoder.head.bias", at::zeros({3})}}, 0.0);
  std::vector<NamedTensor> list;
  optimiser.append_state(list);
  REQUIRE(list.size() == 2);
  CHECK(list[0].name == "optimiser.encoder.head.bias.exp_avg");
  CHECK(list[1].name == "optimiser.encoder.head.bias.exp_avg_sq");
  CHECK(list[1].value.sizes() == at::IntArrayRef({3}));
}

TEST_CASE("no gradients at all have norm 0") {
  const AdamW optimiser({{"a", at::zeros({3})}}, 0.0);
  CHECK(optimiser.gradient_norm().item<double>() == 0.0);
}
