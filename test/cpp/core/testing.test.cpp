// The comparator has a planted failure: a test helper that cannot fail would let everything pass.
#include "testing.h"

using stainfold::testing::relative_error;

TEST_CASE("relative_error sees differences, NaN and shapes") {
  const at::Tensor ref = at::arange(6, at::kDouble).view({2, 3});
  CHECK(relative_error(ref, ref) == 0.0);
  CHECK(relative_error(ref * 1.01, ref) == doctest::Approx(0.01));
  CHECK(relative_error(ref * std::numeric_limits<double>::quiet_NaN(), ref) > 1e30);
  CHECK(relative_error(ref.view({3, 2}), ref) > 1e30);
}
