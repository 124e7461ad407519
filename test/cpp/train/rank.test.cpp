#include "train/rank.h"

#include <ATen/ATen.h>

#include <cmath>

#include "testing.h"

using stainfold::effective_rank;

TEST_CASE("the effective rank counts directions") {
  CHECK(effective_rank(at::eye(8)) == doctest::Approx(8.0));
  CHECK(effective_rank(at::ones({6, 5})) == doctest::Approx(1.0).epsilon(1e-6));
  CHECK(effective_rank(at::zeros({6, 5})) == 0.0);
  // Singular values 3 and 1: the entropy of (3/4, 1/4).
  const double entropy = -0.75 * std::log(0.75) - 0.25 * std::log(0.25);
  const at::Tensor two = at::diag(at::tensor({3.0f, 1.0f}));
  CHECK(effective_rank(two) == doctest::Approx(std::exp(entropy)));
  CHECK(effective_rank(at::cat({two, at::zeros({5, 2})})) == doctest::Approx(std::exp(entropy)));
  CHECK(effective_rank(at::cat({two, at::zeros({2, 9})}, 1)) == doctest::Approx(std::exp(entropy)));
}

TEST_CASE("the effective rank of many rows is that of the first 256") {
  const at::Tensor z = at::randn({300, 16});
  CHECK(effective_rank(z) == effective_rank(z.narrow(0, 0, 256)));
  CHECK(effective_rank(z.narrow(0, 0, 256)) != effective_rank(z.narrow(0, 0, 255)));
}
