// The reconstruction loss on the CPU: every plane of an image is read once.
#include <ATen/Dispatch.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <torch/library.h>

#include <algorithm>
#include <vector>

#include "core/parallel.h"
#include "ops/cpu/simd/reconstruction_loops.h"
#include "ops/reconstruction.h"

namespace stainfold::ops {
namespace {

std::tuple<at::Tensor, at::Tensor> reconstruction_forward_cpu(const at::Tensor& output,
                                                              const at::Tensor& target) {
  const at::Tensor from = output.contiguous(), to = target.contiguous();
  const std::int64_t planes = from.size(0) * from.size(1), height = from.size(2), width = from.size(3);
  at::Tensor gradient = at::empty_like(from, at::MemoryFormat::Contiguous);
  at::Tensor shares = at::empty({planes}, at::kDouble);
  const auto times = [&](std::int64_t h, std::int64_t w) {  // a side of 1 has no differences to average
    return static_cast<double>(std::max<std::int64_t>(1, planes * h * w));
  };
  const ReconstructionCounts counts{times(height, width), times(height - 1, width), times(height, width - 1)};
  AT_DISPATCH_FLOATING_TYPES(from.scalar_type(), "reconstruction_forward", [&] {
    const scalar_t* const left = from.const_data_ptr<scalar_t>();
    const scalar_t* const right = to.const_data_ptr<scalar_t>();
    scalar_t* const slopes = gradient.mutable_data_ptr<scalar_t>();
    double* const share = shares.mutable_data_ptr<double>();
    in_parallel(planes, [&](std::int64_t plane) {
      thread_local std::vector<scalar_t> scratch;
      scratch.resize(static_cast<std::size_t>(5 * width));
      const std::int64_t first = plane * height * width;
      share[plane] = reconstruction_plane(left + first, right + first, height, width, counts, slopes + first,
                                          scratch.data());
    });
  });
  return {shares.sum().to(from.scalar_type()), gradient};  // one order of adding, however many threads
}

TORCH_LIBRARY_IMPL(stainfold, CPU, library) {
  library.impl("reconstruction_forward", &reconstruction_forward_cpu);
}

}  // namespace
}  // namespace stainfold::ops
