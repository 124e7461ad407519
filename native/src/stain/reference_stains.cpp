#include "stain/reference_stains.h"

#include <ATen/ATen.h>

#include <cmath>

#include "core/upload.h"

namespace stainfold {
namespace {

at::Tensor reference_of(const transform::Stain& stain, const at::TensorOptions& options) {  // -> [3,2]
  const at::Tensor columns = at::from_blob(const_cast<double*>(stain.reference.data()), {2, 3},
                                           at::TensorOptions().dtype(at::kDouble))
                                 .t();
  return upload(
      (columns / columns.norm(2, 0, /*keepdim=*/true)).to(at::typeMetaToScalarType(options.dtype())),
      options.device());
}

}  // namespace

Separation separate_stains_like(const transform::Stain& stain, const at::Tensor& density) {
  return held_to_reference(stain, separate_stains(density));
}

Separation held_to_reference(const transform::Stain& stain, Separation found) {
  const auto status = [&](SeparationStatus wanted) {
    return found.status.eq(static_cast<std::int64_t>(wanted));
  };
  const at::Tensor reference = reference_of(stain, found.stains.options());
  at::Tensor usable = status(SeparationStatus::estimated);
  if (!stain.estimate) {
    usable = at::zeros_like(usable);
  } else if (stain.tolerance < 180) {
    const at::Tensor cosine = (found.stains * reference).sum(1);  // [B,2]
    usable = usable.logical_and(at::amin(cosine, 1).ge(std::cos(stain.tolerance * M_PI / 180.0)));
  }
  found.stains = at::where(usable.view({-1, 1, 1}), found.stains, reference);
  const at::Tensor fallback =
      at::scalar_tensor(static_cast<std::uint8_t>(SeparationStatus::fallback), found.status.options());
  found.status = at::where(usable.logical_or(status(SeparationStatus::blank)), found.status, fallback);
  return found;
}

}  // namespace stainfold
