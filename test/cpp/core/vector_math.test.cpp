// exp, log and powers of float32 against the standard library's in float64.
#include "core/vector_math.h"

#include <algorithm>
#include <cmath>

#include "testing.h"

using namespace stainfold;

namespace {

// Largest error over n points from a to b, as a share of the true value or of `least`, whichever is larger.
template <typename Fast, typename True>
double worst(double a, double b, double least, Fast fast, True exact) {
  constexpr int n = 20011;
  double most = 0;
  for (int i = 0; i < n; ++i) {
    const auto x = static_cast<float>(a + (b - a) * i / (n - 1));
    const double truth = exact(static_cast<double>(x));
    most = std::max(most, std::abs(static_cast<double>(fast(x)) - truth) / std::max(std::abs(truth), least));
  }
  return most;
}

}  // namespace

TEST_CASE("exp, log and powers are those of the standard library") {
  // Not by their names: a pointer to a function that must be inlined is not for every optimisation level.
  const auto exponential = [](float x) { return vector_exp(x); };
  const auto logarithm = [](float x) { return vector_log(x); };
  CHECK(worst(-86, 86, 0, exponential, [](double x) { return std::exp(x); }) < 2e-7);
  CHECK(worst(-0.01, 0.01, 0, exponential, [](double x) { return std::exp(x); }) < 2e-7);
  CHECK(worst(1e-30, 1e-3, 1, logarithm, [](double x) { return std::log(x); }) < 2e-7);
  CHECK(worst(1e-3, 2, 1, logarithm, [](double x) { return std::log(x); }) < 2e-7);
  CHECK(worst(1, 1e30, 1, logarithm, [](double x) { return std::log(x); }) < 2e-7);
  const auto root = [](float x) { return vector_power(x, 1.0F / 3); };
  CHECK(worst(0.008, 1.2, 0, root, [](double x) { return std::cbrt(x); }) < 4e-7);
  CHECK(worst(
            0.003, 1, 0, [](float x) { return vector_power(x, 1 / 2.4F); },
            [](double x) { return std::pow(x, 1 / 2.4); }) < 5e-7);
  CHECK(worst(0.008, 1.2, 0, root, [](double x) { return std::sqrt(x); }) > 0.1);  // the comparison sees
}

TEST_CASE("exp at its ends, and NaN") {
  CHECK(vector_exp(0.0F) == 1.0F);
  CHECK(vector_exp(-1000.0F) < 2e-38F);
  CHECK(vector_exp(1000.0F) > 1e37F);
  CHECK(std::isfinite(vector_exp(INFINITY)));
  CHECK(std::isnan(vector_exp(NAN)));
}
