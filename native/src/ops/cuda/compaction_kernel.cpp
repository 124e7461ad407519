#include <ATen/Dispatch.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>
#include <torch/library.h>

#include "core/cuda/check.h"
#include "ops/compaction.h"
#include "ops/cuda/compaction_launch.h"

namespace stainfold::ops {
namespace {

using at::Tensor;

// The problem with the memory that it points to.
template <typename T>
struct Prepared {
  Tensor zn;            // [M,d]
  Tensor inverse_norm;  // [M]
  compaction::DeviceProblem<T> problem;

  Prepared(const Tensor& z, std::int64_t tiles, double temperature, const std::optional<Tensor>& group,
           cudaStream_t stream)
      : zn(at::empty_like(z)), inverse_norm(at::empty({z.size(0)}, z.options())) {
    problem.zn = zn.const_data_ptr<T>();
    problem.inverse_norm = inverse_norm.const_data_ptr<T>();
    problem.group = group.has_value() && group->defined() ? group->const_data_ptr<std::int64_t>() : nullptr;
    problem.rows = static_cast<std::int32_t>(z.size(0));
    problem.dim = static_cast<std::int32_t>(z.size(1));
    problem.tiles = static_cast<std::int32_t>(tiles);
    problem.inverse_temperature = static_cast<T>(1.0 / temperature);
    cuda::check(
        compaction::launch_normalise(z.const_data_ptr<T>(), problem.rows, problem.dim,
                                     zn.mutable_data_ptr<T>(), inverse_norm.mutable_data_ptr<T>(), stream),
        "the normalisation of the compaction loss");
  }
};

std::tuple<Tensor, Tensor> compaction_forward_cuda(const Tensor& z, std::int64_t tiles, double temperature,
                                                   const std::optional<Tensor>& group) {
  const c10::cuda::CUDAGuard device(z.device());
  const cudaStream_t stream = c10::cuda::getCurrentCUDAStream();
  const Tensor rows = z.contiguous();
  Tensor loss = at::empty({}, z.options());
  Tensor lse = at::empty({z.size(0)}, z.options());
  AT_DISPATCH_FLOATING_TYPES(z.scalar_type(), "compaction_forward", [&] {
    const Prepared<scalar_t> prepared(rows, tiles, temperature, group, stream);
    Tensor partials =
        at::empty({3, compaction::forward_splits(prepared.problem.rows), z.size(0)}, z.options());
    cuda::check(compaction::launch_forward(prepared.problem, partials.mutable_data_ptr<scalar_t>(),
                                            lse.mutable_data_ptr<scalar_t>(),
                                            loss.mutable_data_ptr<scalar_t>(), stream),
                 "the compaction loss");
  });
  return {loss, lse};
}

Tensor compaction_backward_cuda(const Tensor& gradient, const Tensor& z, const Tensor& lse,
                                std::int64_t tiles, double temperature, const std::optional<Tensor>& group) {
  const c10::cuda::CUDAGuard device(z.device());
  const cudaStream_t stream = c10::cuda::getCurrentCUDAStream();
  const Tensor rows = z.contiguous();
  Tensor result = at::empty_like(rows);
  AT_DISPATCH_FLOATING_TYPES(z.scalar_type(), "compaction_backward", [&] {
    const Prepared<scalar_t> prepared(rows, tiles, temperature, group, stream);
    Tensor panel = at::empty({z.size(0), compaction::panel_width(prepared.problem.rows)}, z.options());
    cuda::check(compaction::launch_backward(
                     prepared.problem, lse.const_data_ptr<scalar_t>(), gradient.const_data_ptr<scalar_t>(),
                     panel.mutable_data_ptr<scalar_t>(), result.mutable_data_ptr<scalar_t>(), stream),
                 "the gradient of the compaction loss");
  });
  return result;
}

TORCH_LIBRARY_IMPL(stainfold, CUDA, library) {
  library.impl("compaction_forward", &compaction_forward_cuda);
  library.impl("compaction_backward", &compaction_backward_cuda);
}

}  // namespace
}  // namespace stainfold::ops
