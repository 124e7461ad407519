// In a build without CUDA no tensor lies on such a device.
#include "stain/device_pixels.h"

#include "stainfold/error.h"

namespace stainfold::on_cuda {
namespace {

[[noreturn]] void refuse() { throw Error(ErrorCode::internal, "this build holds no CUDA kernels"); }

}  // namespace

StainedMoments stained_moments(const at::Tensor&, std::int64_t) { refuse(); }
at::Tensor principal_plane(const StainedMoments&) { refuse(); }
std::pair<at::Tensor, at::Tensor> extreme_angles(const at::Tensor&, const StainedMoments&, const at::Tensor&,
                                                 std::int64_t) {
  refuse();
}
at::Tensor tile_peaks(const at::Tensor&, const at::Tensor&) { refuse(); }
at::Tensor mapped_tiles(const at::Tensor&, const at::Tensor&, const at::Tensor&) { refuse(); }
at::Tensor tile_lab_moments(const at::Tensor&) { refuse(); }
at::Tensor moved_lab_tiles(const at::Tensor&, const at::Tensor&, const at::Tensor&, const at::Tensor&) {
  refuse();
}
at::Tensor turned(const at::Tensor&, const at::Tensor&) { refuse(); }
at::Tensor placed(const at::Tensor&, const at::Tensor&, at::MemoryFormat) { refuse(); }
bool Painting::takes(const FocusProfiles&) const { return false; }
at::Tensor painted(const at::Tensor&, const Painting&) { refuse(); }

}  // namespace stainfold::on_cuda
