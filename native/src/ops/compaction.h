// stainfold::compaction_forward and compaction_backward, called through the dispatcher. z is checked by
// compaction_loss, the public entry; the kernels take it as it comes.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>
#include <tuple>

namespace stainfold::ops {

std::tuple<at::Tensor, at::Tensor> compaction_forward(  // loss [], lse [M]
    const at::Tensor& z,                                // [M,d] float32 or float64
    std::int64_t tiles, double temperature,
    const std::optional<at::Tensor>& group);  // [tiles] int64, contiguous, on z's device

at::Tensor compaction_backward(const at::Tensor& gradient,  // [] of the loss
                               const at::Tensor& z,         // [M,d]
                               const at::Tensor& lse,       // [M] as compaction_forward gave it
                               std::int64_t tiles, double temperature,
                               const std::optional<at::Tensor>& group);  // [tiles] -> [M,d]

}  // namespace stainfold::ops
