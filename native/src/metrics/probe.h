// What the probes share: checked input, standardised columns, weights that balance the classes.
#pragma once

#include <ATen/core/Tensor.h>

#include "metrics/inputs.h"

namespace stainfold::metrics {

struct ProbeTask {
  ProbeTask(const at::Tensor& train, const at::Tensor& train_labels, const at::Tensor& test, double penalty);

  // Columns of the classes that occur, moved to their labels: [M,C] -> [M,largest label + 1].
  at::Tensor by_label(const at::Tensor& scores, double absent) const;

  at::Tensor x, test_x;  // [N,d], [M,d] float64, standardised by the training rows
  Classes classes;       // of the training rows
  at::Tensor weight;     // [N]: every class weighs the same, all rows together 1
};

}  // namespace stainfold::metrics
