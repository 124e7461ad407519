// Batch normalisation, a residual and a rectifier over rows of columns. A row is a pixel's channels, or those
// of several pixels side by side, so that few channels fill vectors too: every parameter is one a column.
#pragma once

#include <cstdint>

namespace stainfold::ops {

struct NormColumns {
  const float* scale;  // x scale + offset is the normalised x
  const float* offset;
  const float* mean;
};

// Mean and sum of squared deviations from it. scratch: 2 * columns floats.
void norm_moments(const float* x, std::int64_t rows, std::int64_t columns, double* mean, double* square,
                  float* scratch);

// y = x scale + offset + residual, below 0 cut off where `relu`. residual: may be null.
void norm_apply(const float* x, const float* residual, std::int64_t rows, std::int64_t columns,
                const NormColumns& of, bool relu, float* y);

// Adds to `sum` and `moment`, per column, those of g and of g (x - mean). g is the gradient, or with `masked`
// the gradient where x scale + offset > 0 and 0 elsewhere. scratch: 2 * columns.
void norm_gradient_sums(const float* x, const float* gradient, std::int64_t rows, std::int64_t columns,
                        const NormColumns& of, bool masked, double* sum, double* moment, float* scratch);

// The gradient where y > 0, 0 elsewhere.
void rectified_gradient(const float* gradient, const float* y, std::int64_t count, float* g);

// dx = scale g - across (x - mean) - along; g as above.
void norm_gradient(const float* x, const float* gradient, std::int64_t rows, std::int64_t columns,
                   const NormColumns& of, bool masked, const float* across, const float* along, float* dx);

}  // namespace stainfold::ops
