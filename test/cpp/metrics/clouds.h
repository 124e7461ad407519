// Inputs that the metric tests share: closed formulas, so that a reference elsewhere can rebuild them.
#pragma once

#include <ATen/ATen.h>

#include <cmath>
#include <cstdint>

namespace stainfold::testing {

// The golden cloud: 120 rows, 8 columns, three shifted classes.
inline at::Tensor golden_cloud() {
  at::Tensor z = at::empty({120, 8}, at::kDouble);
  auto value = z.accessor<double, 2>();
  const double p = 0.1;
  for (int i = 0; i < 120; ++i) {
    for (int j = 0; j < 8; ++j) {
      value[i][j] = std::sin(0.37 * i * (1 + p) + 1.7 * j + 0.11 * i * j) +
                    0.3 * std::cos(2.3 * i - 0.9 * j + p) + (i % 3) * j / 7.0;
    }
  }
  return z;
}

inline at::Tensor golden_labels() { return at::arange(120, at::kLong).remainder(3); }

// Rows without structure, never the same twice.
inline at::Tensor wave_cloud(std::int64_t rows, std::int64_t columns) {
  const at::Tensor i = at::arange(rows, at::kDouble).unsqueeze(1), j = at::arange(columns, at::kDouble);
  return at::sin(i * (j * 0.7 + 1.3) + j * j) + 0.5 * at::cos(i * 2.1 - j * 0.3);
}

}  // namespace stainfold::testing
