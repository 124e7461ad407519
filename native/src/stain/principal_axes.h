// Eigenvectors of a symmetric 3 x 3 matrix, for host and device. LibTorch's solver on a GPU would be a call
// of cuSOLVER that the host waits for.
#pragma once

#include <cmath>

#include "core/instruction_sets.h"

namespace stainfold {

// Cyclic Jacobi in float64: a dozen rotations are exact to the last digits (Golub & Van Loan 2013, 8.5).
// axes: columns [3,2], the eigenvectors of the middle and the largest eigenvalue, each on the side that
// `mean` is on.
STAINFOLD_INLINE void principal_axes(const double* matrix,  // [3,3] symmetric
                                     const double* mean,    // [3]
                                     double* axes) {        // [3,2]
  double a[3][3], v[3][3] = {{1, 0, 0}, {0, 1, 0}, {0, 0, 1}};
  for (int i = 0; i < 9; ++i) a[i / 3][i % 3] = matrix[i];
  for (int sweep = 0; sweep < 12; ++sweep) {
    const double off = a[0][1] * a[0][1] + a[0][2] * a[0][2] + a[1][2] * a[1][2];
    const double on = a[0][0] * a[0][0] + a[1][1] * a[1][1] + a[2][2] * a[2][2];
    if (!(off > 1e-36 * on)) break;  // NaN as well
    for (int p = 0; p < 2; ++p) {
      for (int q = p + 1; q < 3; ++q) {
        if (a[p][q] == 0) continue;
        const double theta = (a[q][q] - a[p][p]) / (2 * a[p][q]);
        const double t = (theta >= 0 ? 1.0 : -1.0) / (std::fabs(theta) + std::sqrt(theta * theta + 1));
        const double c = 1 / std::sqrt(t * t + 1), s = t * c;
        for (int k = 0; k < 3; ++k) {
          const double kp = a[k][p], kq = a[k][q];
          a[k][p] = c * kp - s * kq;
          a[k][q] = s * kp + c * kq;
        }
        for (int k = 0; k < 3; ++k) {
          const double pk = a[p][k], qk = a[q][k];
          a[p][k] = c * pk - s * qk;
          a[q][k] = s * pk + c * qk;
        }
        for (int k = 0; k < 3; ++k) {
          const double kp = v[k][p], kq = v[k][q];
          v[k][p] = c * kp - s * kq;
          v[k][q] = s * kp + c * kq;
        }
      }
    }
  }
  int least = 0, most = 0;
  for (int i = 1; i < 3; ++i) {
    if (a[i][i] < a[least][least]) least = i;
    if (a[i][i] >= a[most][most]) most = i;
  }
  if (least == most) least = (most + 1) % 3;  // all equal
  const int chosen[2] = {3 - least - most, most};
  for (int j = 0; j < 2; ++j) {
    double side = 0;
    for (int k = 0; k < 3; ++k) side += mean[k] * v[k][chosen[j]];
    for (int k = 0; k < 3; ++k) axes[2 * k + j] = side < 0 ? -v[k][chosen[j]] : v[k][chosen[j]];
  }
}

}  // namespace stainfold
