#include <cmath>
#include <limits>

#include "clouds.h"
#include "metrics/lbfgs.h"
#include "stainfold/metrics.h"
#include "testing.h"

using namespace stainfold;
using stainfold::testing::code_of;
using stainfold::testing::golden_cloud;
using stainfold::testing::golden_labels;
using stainfold::testing::largest_difference;
using stainfold::testing::wave_cloud;

namespace {

// Every second row of class 2 is left out, so that the classes do not balance.
at::Tensor unbalanced() {
  const at::Tensor i = at::arange(120, at::kLong);
  return i.masked_select(at::logical_or(i.remainder(3) != 2, i.remainder(2) == 0));
}

}  // namespace

// LogisticRegression(class_weight='balanced', solver='newton-cg', tol=1e-13) behind a StandardScaler.
// 1e-6: our gradient is within 1e-9 of zero, and the objective's curvature is at least penalty / N.
TEST_CASE("linear probe: scikit-learn's numbers, three classes") {
  const at::Tensor rows = unbalanced(), train = golden_cloud().index_select(0, rows);
  const at::Tensor labels = golden_labels().index_select(0, rows), test = golden_cloud().slice(0, 0, 4);
  const at::Tensor firm =
      at::tensor({0.9310218770882436, 0.06897157333276233, 6.549578994251123e-06, 0.1371927247035273,
                  0.8597170465866508, 0.003090228709821925, 7.84226342862008e-05, 0.14019301237377735,
                  0.8597285649919365, 0.8735649436697593, 0.12630309798776795, 0.0001319583424727142},
                 at::kDouble);
  CHECK(largest_difference(linear_probe(train, labels, test, 1.0).flatten(), firm) < 1e-6);
  const at::Tensor loose =
      at::tensor({0.9830603545976205, 0.01693964540237944, 1.8001990268949952e-24, 0.08566343838297424,
                  0.9143365616170248, 9.757835868081564e-16, 3.3957231802009163e-07, 0.028755894628406883,
                  0.9712437657992751, 0.9474250432913233, 0.05257495670867657, 1.8082046478616253e-16},
                 at::kDouble);
  CHECK(largest_difference(linear_probe(train, labels, test, 0.01).flatten(), loose) < 1e-6);
}

TEST_CASE("linear probe: scikit-learn's numbers, two classes") {
  const at::Tensor i = unbalanced();
  const at::Tensor rows = i.masked_select(
      at::logical_and(i.remainder(3) < 2, at::logical_or(i.remainder(3) == 0, i.remainder(4) < 2)));
  REQUIRE(rows.size(0) == 60);
  const at::Tensor result =
      linear_probe(golden_cloud().index_select(0, rows), golden_labels().index_select(0, rows),
                   golden_cloud().slice(0, 0, 4), 1.0);
  const at::Tensor expected =
      at::tensor({0.9343247443115501, 0.0656752556884499, 0.11164939832271437, 0.8883506016772856,
                  0.00027007775400778034, 0.9997299222459922, 0.8412712199901164, 0.1587287800098835},
                 at::kDouble);
  CHECK(largest_difference(result.flatten(), expected) < 1e-6);
}

TEST_CASE("linear probe: separable data, constant and far columns, deterministic") {
  const at::Tensor labels = at::arange(60, at::kLong).remainder(2);
  at::Tensor train = wave_cloud(60, 4);
  train.select(1, 0).add_(labels.to(at::kDouble) * 20);
  train.select(1, 1).fill_(0.1);  // its deviation is not exactly 0 in float64
  train.select(1, 2).add_(1e7);
  for (const double penalty : {1e-6, 1e-2, 1e2}) {
    CAPTURE(penalty);
    const at::Tensor result = linear_probe(train, labels, train, penalty);
    CHECK(result.argmax(1).equal(labels));
    CHECK(largest_difference(result.sum(1), at::ones({60}, at::kDouble)) < 1e-12);
    CHECK(result.equal(linear_probe(train, labels, train, penalty)));
  }
  // Columns are standardised: units do not matter.
  const at::Tensor units = at::tensor({1e-3, 1.0, 1e3, 7.0}, at::kDouble);
  CHECK(largest_difference(linear_probe(train * units, labels, train * units, 1.0),
                           linear_probe(train, labels, train, 1.0)) < 1e-6);  // as above
}

TEST_CASE("linear probe: more columns than rows, float32 input, labels with a gap, rare class") {
  const at::Tensor labels = (at::arange(30, at::kLong).remainder(10) == 0).to(at::kLong) * 3 + 1;  // 1 and 4
  const at::Tensor train = wave_cloud(30, 200).to(at::kFloat);
  const at::Tensor result = linear_probe(train, labels, train, 1.0);
  CHECK(result.sizes() == at::IntArrayRef({30, 5}));
  CHECK((result.scalar_type() == at::kDouble));
  CHECK(result.select(1, 0).abs().max().item<double>() == 0.0);
  CHECK(result.slice(1, 2, 4).abs().max().item<double>() == 0.0);
  CHECK(result.argmax(1).equal(labels));
  // Balanced: an immense penalty leaves the intercepts, and they say one half, however rare a class is.
  const at::Tensor blind = linear_probe(train, labels, train, 1e9);
  CHECK(std::abs(blind[0][1].item<double>() - 0.5) < 1e-3);
}

TEST_CASE("linear probe: what it refuses") {
  const at::Tensor train = wave_cloud(6, 3), labels = at::arange(6, at::kLong).remainder(2);
  const auto call = [&](const at::Tensor& rows, const at::Tensor& of, const at::Tensor& test,
                        double penalty) { return code_of([&] { linear_probe(rows, of, test, penalty); }); };
  CHECK(call(train, labels * 0, train, 1) == ErrorCode::option);
  CHECK(call(train, labels, train.slice(1, 1), 1) == ErrorCode::shape);
  CHECK(call(train, labels.slice(0, 1), train, 1) == ErrorCode::shape);
  for (const double penalty : {0.0, -1.0, std::numeric_limits<double>::quiet_NaN(), 1.0 / 0.0}) {
    CHECK(call(train, labels, train, penalty) == ErrorCode::option);
  }
  CHECK(call(train, labels, train / 0.0, 1) == ErrorCode::non_finite);
}

TEST_CASE("L-BFGS: an ill-conditioned quadratic, and a refusal to stop early") {
  const at::Tensor curvature = at::logspace(-3, 3, 30, 10, at::kDouble),
                   minimum = at::arange(30, at::kDouble);
  const auto quadratic = [&](const at::Tensor& x) -> metrics::Evaluated {
    const at::Tensor pull = curvature * (x - minimum);
    return {0.5 * (pull * (x - minimum)).sum().item<double>(), pull};
  };
  const at::Tensor found = metrics::lbfgs(quadratic, at::zeros({30}, at::kDouble), 1e-9, 5000);
  CHECK(largest_difference(found, minimum) < 1e-6);  // gradient 1e-9 over the least curvature 1e-3
  CHECK(code_of([&] { metrics::lbfgs(quadratic, at::zeros({30}, at::kDouble), 1e-9, 3); }) ==
        ErrorCode::internal);
}
