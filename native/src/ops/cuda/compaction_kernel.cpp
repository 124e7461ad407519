#include <ATen/Dispatch.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>
#include <torch/library.h>

#include "core/cuda/check.h"
#include "ops/compaction.h"
#include "ops/cuda/compaction_launch.h"
#include "ops/cuda/tensor_launch.h"

namespace stainfold::ops {
namespace {

using at::Tensor;

// The problem with the memory that it points to.
template <typename T>
struct Prepared {
  Tensor zn;            // [M,d]
  Tensor inverse_norm;  // [M]
  compaction::DeviceProblem<T> problem;

  Prepared(const Tensor& z, std::int64_t tiles, double temperature, const std::int64_t* group,
           cudaStream_t stream)
      : zn(at::empty_like(z)), inverse_norm(at::empty({z.size(0)}, z.options())) {
    problem.zn = zn.const_data_ptr<T>();
    problem.inverse_norm = inverse_norm.const_data_ptr<T>();
    problem.group = group;
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

std::uint16_t* halves(const Tensor& x) { return static_cast<std::uint16_t*>(x.mutable_data_ptr()); }

// The same for the tensor cores.
struct Split {
  Tensor zn;            // [padded M,blocks,2,32] float16
  Tensor inverse_norm;  // [padded M]
  compaction::SplitProblem problem;

  Split(const Tensor& z, std::int64_t tiles, double temperature, const std::int64_t* group,
        cudaStream_t stream) {
    const auto rows = static_cast<std::int32_t>(z.size(0)), dim = static_cast<std::int32_t>(z.size(1));
    const std::int32_t padded = compaction::padded_rows(rows), blocks = compaction::unit_blocks(dim);
    zn = at::empty({padded, blocks, 2, 32}, z.options().dtype(at::kHalf));
    inverse_norm = at::empty({padded}, z.options());
    problem = {{halves(zn), blocks},
               inverse_norm.const_data_ptr<float>(),
               group,
               rows,
               dim,
               static_cast<std::int32_t>(tiles),
               static_cast<float>(1.0 / temperature)};
    cuda::check(compaction::launch_split_units(z.const_data_ptr<float>(), rows, dim, halves(zn),
                                               inverse_norm.mutable_data_ptr<float>(), stream),
                "the normalisation of the compaction loss");
  }
};

// On the current device.
bool suits_tensor_cores(const Tensor& z) {
  return z.scalar_type() == at::kFloat && z.size(1) <= compaction::most_tensor_columns &&
         compaction::has_tensor_cores();
}

const std::int64_t* group_of(const std::optional<Tensor>& group) {
  return group.has_value() && group->defined() ? group->const_data_ptr<std::int64_t>() : nullptr;
}

std::tuple<Tensor, Tensor> compaction_forward_cuda(const Tensor& z, std::int64_t tiles, double temperature,
                                                   const std::optional<Tensor>& group) {
  const c10::cuda::CUDAGuard device(z.device());
  const cudaStream_t stream = c10::cuda::getCurrentCUDAStream();
  const Tensor rows = z.contiguous();
  const auto count = static_cast<std::int32_t>(z.size(0));
  Tensor loss = at::empty({}, z.options());
  Tensor lse = at::empty({z.size(0)}, z.options());
  Tensor sums = at::empty({compaction::loss_blocks(count)}, z.options().dtype(at::kDouble));
  const auto partials_of = [&](std::int32_t slots) { return at::empty({3, slots, z.size(0)}, z.options()); };
  if (suits_tensor_cores(z)) {
    const Split split(rows, tiles, temperature, group_of(group), stream);
    Tensor partials = partials_of(compaction::gather_slots(count));
    cuda::check(compaction::launch_tensor_forward(
                    split.problem, partials.mutable_data_ptr<float>(), sums.mutable_data_ptr<double>(),
                    lse.mutable_data_ptr<float>(), loss.mutable_data_ptr<float>(), stream),
                "the compaction loss");
    return {loss, lse};
  }
  AT_DISPATCH_FLOATING_TYPES(z.scalar_type(), "compaction_forward", [&] {
    const Prepared<scalar_t> prepared(rows, tiles, temperature, group_of(group), stream);
    Tensor partials = partials_of(compaction::forward_splits(count));
    cuda::check(compaction::launch_forward(prepared.problem, partials.mutable_data_ptr<scalar_t>(),
                                           sums.mutable_data_ptr<double>(), lse.mutable_data_ptr<scalar_t>(),
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
  if (suits_tensor_cores(z)) {
    const Split split(rows, tiles, temperature, group_of(group), stream);
    const std::int32_t blocks = compaction::panel_blocks(split.problem.rows);
    Tensor panel = at::empty({split.zn.size(0), blocks, 2, 32}, split.zn.options());
    cuda::check(compaction::launch_tensor_backward(split.problem, lse.const_data_ptr<float>(),
                                                   gradient.const_data_ptr<float>(), halves(panel),
                                                   result.mutable_data_ptr<float>(), stream),
                "the gradient of the compaction loss");
    return result;
  }
  AT_DISPATCH_FLOATING_TYPES(z.scalar_type(), "compaction_backward", [&] {
    const Prepared<scalar_t> prepared(rows, tiles, temperature, group_of(group), stream);
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
