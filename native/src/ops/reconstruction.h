// stainfold::reconstruction_forward, called through the dispatcher: the loss and its gradient in one pass
// over the pixels. On the CPU only, where a chain of element-wise operations costs a pass over memory each.
#pragma once

#include <ATen/core/Tensor.h>

#include <tuple>

namespace stainfold::ops {

std::tuple<at::Tensor, at::Tensor> reconstruction_forward(  // loss [], its gradient by the output [B,3,H,W]
    const at::Tensor& output,                               // [B,3,H,W] float32 or float64, not empty
    const at::Tensor& target);                              // the same shape and type

}  // namespace stainfold::ops
