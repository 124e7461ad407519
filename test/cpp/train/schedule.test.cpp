#include "train/schedule.h"

#include <cmath>

#include "testing.h"

using stainfold::Schedule;

TEST_CASE("the learning rate warms up, follows a cosine and stays at 1 %") {
  const Schedule schedule{2.0, 10, 110};
  CHECK(schedule.learning_rate(0) == doctest::Approx(0.2));
  CHECK(schedule.learning_rate(9) == doctest::Approx(2.0));
  CHECK(schedule.learning_rate(10) == doctest::Approx(2.0));
  CHECK(schedule.learning_rate(60) == doctest::Approx(2.0 * (0.01 + 0.99 * 0.5)));  // half way down
  CHECK(schedule.learning_rate(85) == doctest::Approx(2.0 * (0.01 + 0.99 * (1 - std::sqrt(0.5)) / 2)));
  CHECK(schedule.learning_rate(110) == doctest::Approx(0.02));
  CHECK(schedule.learning_rate(5000) == doctest::Approx(0.02));
}

TEST_CASE("a schedule may have no warm-up, or nothing else") {
  CHECK(Schedule{1.0, 0, 4}.learning_rate(0) == doctest::Approx(1.0));
  CHECK(Schedule{1.0, 4, 4}.learning_rate(3) == doctest::Approx(1.0));
  CHECK(std::isfinite(Schedule{1.0, 4, 4}.learning_rate(4)));
}

TEST_CASE("the adversary's weight rises from 0 towards 1") {
  const Schedule schedule{1.0, 0, 100};
  CHECK(schedule.adversary_ramp(0) == 0.0);
  CHECK(schedule.adversary_ramp(50) == doctest::Approx(2.0 / (1.0 + std::exp(-5.0)) - 1.0));
  CHECK(schedule.adversary_ramp(100) == doctest::Approx(0.9999092));
  CHECK(schedule.adversary_ramp(900) == schedule.adversary_ramp(100));
}
