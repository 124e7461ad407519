#include "ops/compaction.h"

#include <ATen/core/dispatch/Dispatcher.h>
#include <torch/library.h>

#include <cmath>
#include <limits>

#include "core/checks.h"
#include "stainfold/losses.h"

namespace stainfold {
namespace ops {

std::tuple<at::Tensor, at::Tensor> compaction_forward(const at::Tensor& z, std::int64_t tiles,
                                                      double temperature,
                                                      const std::optional<at::Tensor>& group) {
  static const auto op = c10::Dispatcher::singleton()
                             .findSchemaOrThrow("stainfold::compaction_forward", "")
                             .typed<decltype(compaction_forward)>();
  return op.call(z, tiles, temperature, group);
}

at::Tensor compaction_backward(const at::Tensor& gradient, const at::Tensor& z, const at::Tensor& lse,
                               std::int64_t tiles, double temperature,
                               const std::optional<at::Tensor>& group) {
  static const auto op = c10::Dispatcher::singleton()
                             .findSchemaOrThrow("stainfold::compaction_backward", "")
                             .typed<decltype(compaction_backward)>();
  return op.call(gradient, z, lse, tiles, temperature, group);
}

}  // namespace ops

at::Tensor compaction_loss(const at::Tensor& z, std::int64_t tiles, double temperature,
                           const std::optional<at::Tensor>& group) {
  check_shape(z, "z", {-1, -1});
  check_dtype(z, "z", {at::kFloat, at::kDouble, at::kHalf, at::kBFloat16});
  // Kernels count rows in 32 bits, with room for the rows that pad the last block.
  constexpr std::int64_t limit = std::numeric_limits<std::int32_t>::max() - 4096;
  if (z.size(0) > limit || z.size(1) < 1 || z.size(1) > limit) {
    throw Error(
        ErrorCode::shape,
        "z must have at least one column and fewer than 2^31 rows and columns, got " + to_string(z.sizes()));
  }
  check_option(tiles >= 1, "tiles must be >= 1, got " + std::to_string(tiles));
  if (tiles > z.size(0) / 2) {
    throw Error(ErrorCode::shape,
                "every tile needs at least two views: z must have at least 2 * tiles rows, got " +
                    std::to_string(z.size(0)) + " rows for " + std::to_string(tiles) + " tiles");
  }
  check_option(std::isfinite(temperature) && temperature > 0,
               "temperature must be a finite number > 0, got " + std::to_string(temperature));
  std::optional<at::Tensor> group_here;
  if (group.has_value() && group->defined()) {
    check_shape(*group, "group", {tiles});
    check_dtype(*group, "group", {at::kLong});
    group_here = group->to(z.device()).contiguous();
  }
  // Differences of nearly equal unit vectors vanish in 8 or 11 bits of mantissa.
  const at::Tensor wide = z.scalar_type() == at::kDouble ? z : z.to(at::kFloat);
  return std::get<0>(ops::compaction_forward(wide, tiles, temperature, group_here));
}

TORCH_LIBRARY_FRAGMENT(stainfold, library) {
  library.def(
      "compaction_forward(Tensor z, int tiles, float temperature, Tensor? group) -> (Tensor loss, Tensor "
      "lse)");
  library.def(
      "compaction_backward(Tensor gradient, Tensor z, Tensor lse, int tiles, float temperature, Tensor? "
      "group) "
      "-> Tensor");
  library.def("compaction_loss(Tensor z, int tiles, float temperature, Tensor? group=None) -> Tensor",
              &compaction_loss);
}

}  // namespace stainfold
