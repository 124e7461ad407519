#include <cmath>

#include "clouds.h"
#include "stainfold/metrics.h"
#include "testing.h"

using namespace stainfold;
using stainfold::testing::code_of;
using stainfold::testing::golden_cloud;
using stainfold::testing::relative_error;
using stainfold::testing::wave_cloud;

namespace {

// The textbook formula: tr (Sa Sb)^1/2 as the root of the eigenvalues of the unsymmetric product.
double naive_frechet(const at::Tensor& a, const at::Tensor& b) {
  const at::Tensor sa = at::cov(a.t()), sb = at::cov(b.t());
  const at::Tensor roots = at::real(at::linalg_eigvals(at::mm(sa, sb))).clamp_min(0).sqrt();
  return ((a.mean(0) - b.mean(0)).square().sum() + sa.trace() + sb.trace() - 2 * roots.sum()).item<double>();
}

at::Tensor rows_of_class(std::int64_t label) { return golden_cloud().slice(0, label, 120, 3); }

}  // namespace

TEST_CASE("frechet: the reference's numbers") {
  // 1e-10: float64 against SciPy's sqrtm in float64.
  CHECK(std::abs(frechet_distance(rows_of_class(0), rows_of_class(1)) - 3.019678587552521) < 1e-10);
  CHECK(std::abs(frechet_distance(rows_of_class(0), rows_of_class(2)) - 11.639562462451357) < 1e-10);
}

TEST_CASE("frechet: equals the textbook formula, is symmetric and 0 to itself") {
  const at::Tensor a = wave_cloud(50, 6), b = at::sin(wave_cloud(70, 6) * 2) + 0.3;
  // Eigenvalues of an unsymmetric product: about 1e-14 of the trace.
  CHECK(frechet_distance(a, b) == doctest::Approx(naive_frechet(a, b)).epsilon(1e-10));
  CHECK(frechet_distance(a, b) == doctest::Approx(frechet_distance(b, a)).epsilon(1e-12));
  CHECK(frechet_distance(a, a) < 1e-12);
  CHECK(frechet_distance(a, a + 2.0) == doctest::Approx(6 * 4.0).epsilon(1e-12));
}

TEST_CASE("frechet: flat clouds, fewer rows than columns, constant columns") {
  // One column stretched by 3 about its mean of 0: (3 - 1)^2 of its variance, and 29 columns without any.
  at::Tensor a = at::zeros({20, 30}, at::kDouble);
  a.select(1, 4).copy_(wave_cloud(20, 1).squeeze(1));
  a = a - a.mean(0);
  const double variance = a.select(1, 4).var().item<double>();
  // 1e-12 though rank is 1 of 30: a root of a covariance would leave 29 * 1e-8 here.
  CHECK(std::abs(frechet_distance(a, a * 3) - 4 * variance) < 1e-12 * variance);
  const at::Tensor few = wave_cloud(5, 30);
  CHECK(frechet_distance(few, few) < 1e-12);
  // Two rows each: one direction u with |u|^2/2 = variance, so tr (Sa Sb)^1/2 = |u.v| / 2.
  const at::Tensor p = wave_cloud(2, 9), q = wave_cloud(4, 9).slice(0, 2);
  const at::Tensor u = p[0] - p[1], v = q[0] - q[1];
  const double expected =
      ((p.mean(0) - q.mean(0)).square().sum() + (u.dot(u) + v.dot(v)) / 2 - u.dot(v).abs()).item<double>();
  CHECK(std::abs(frechet_distance(p, q) - expected) < 1e-12 * expected);
}

TEST_CASE("frechet: what it refuses") {
  const at::Tensor a = wave_cloud(6, 3);
  CHECK(code_of([&] { frechet_distance(a, wave_cloud(6, 4)); }) == ErrorCode::shape);
  CHECK(code_of([&] { frechet_distance(a, a.slice(0, 0, 1)); }) == ErrorCode::option);
  CHECK(code_of([&] { frechet_distance(a / 0.0, a); }) == ErrorCode::non_finite);
}

TEST_CASE("principal components: scikit-learn's numbers, sign by the largest loading") {
  const at::Tensor scores = principal_components(golden_cloud(), 2);
  const at::Tensor expected = at::tensor(
      {-2.0214416506934056, 0.5760519094588433, -0.24210742915255623, -0.12359412542779938}, at::kDouble);
  CHECK(relative_error(scores.slice(0, 0, 2).flatten(), expected) < 1e-10);
  // Signs do not hang on those of the data: a reflected cloud's largest loading is positive again.
  const at::Tensor line = at::arange(10, at::kDouble).unsqueeze(1) * at::tensor({1.0, -3.0}, at::kDouble);
  const at::Tensor length = at::arange(10, at::kDouble) - 4.5;
  CHECK(relative_error(principal_components(line, 1).squeeze(1), -length * std::sqrt(10.0)) < 1e-12);
}

TEST_CASE("principal components: scores are uncorrelated, in falling order, and keep all variance") {
  const at::Tensor z = wave_cloud(50, 6) * at::arange(1, 7, at::kDouble) + 100;
  const at::Tensor covariance = at::cov(principal_components(z, 6).t());
  const at::Tensor variances = covariance.diagonal();
  CHECK((covariance - variances.diag()).abs().max().item<double>() < 1e-10 * variances[0].item<double>());
  CHECK((variances.slice(0, 0, 5) >= variances.slice(0, 1)).all().item<bool>());
  CHECK(relative_error(variances.sum(), at::cov(z.t()).trace()) < 1e-12);
  CHECK(principal_components(wave_cloud(4, 9), 4).sizes() == at::IntArrayRef({4, 4}));
  for (const std::int64_t components : {0, 7}) {
    CHECK(code_of([&] { principal_components(z, components); }) == ErrorCode::option);
  }
}
