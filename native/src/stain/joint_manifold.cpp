#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <string>

#include "core/checks.h"
#include "core/upload.h"
#include "stain/random.h"
#include "stainfold/manifold.h"

namespace stainfold {

JointManifold::JointManifold(const std::vector<ManifoldOptions>& stains, std::uint64_t seed) : first_lab_{0} {
  check_option(!stains.empty(), "a manifold must have at least one stain, got none");
  for (std::size_t i = 0; i < stains.size(); ++i) {
    // The first one draws what it would alone: a run of one stain is a run without this class.
    manifolds_.emplace_back(stains[i], i == 0 ? seed : mix(seed, i));
    first_lab_.push_back(first_lab_.back() + stains[i].labs);
  }
}

Views JointManifold::render(const at::Tensor& tiles, const at::Tensor& stain, std::int64_t views,
                            std::uint64_t step) const {
  if (manifolds_.size() == 1) return manifolds_.front().render(tiles, views, step);
  check_tiles(tiles);
  check_option(stain.defined(), "tiles of several stains must say which they have");
  check_shape(stain, "stain", {tiles.size(0)});
  check_option(stain.min().item<std::int64_t>() >= 0 && stain.max().item<std::int64_t>() < stains(),
               "stain must be between 0 and " + std::to_string(stains() - 1));
  const at::NoGradGuard no_grad;
  const std::int64_t count = tiles.size(0);
  Views all;
  for (std::size_t i = 0; i < manifolds_.size(); ++i) {
    const at::Tensor rows = stain.eq(static_cast<std::int64_t>(i)).nonzero().squeeze(1);  // on the host
    if (rows.numel() == 0) continue;
    const at::Tensor placed = upload(rows, tiles.device());
    const Views some = manifolds_[i].render(tiles.index_select(0, placed), views, step);
    if (!all.pixels.defined()) {
      all.pixels = at::empty({views * count, 3, tiles.size(1), tiles.size(2)}, some.pixels.options());
      all.source = at::empty({count, 3, tiles.size(1), tiles.size(2)}, some.source.options());
      all.lab = at::empty({views * count}, some.lab.options());
    }
    const at::Tensor view_rows =
        upload((at::arange(views, at::kLong).unsqueeze(1) * count + rows).flatten(), tiles.device());
    all.pixels.index_copy_(0, view_rows, some.pixels);
    all.source.index_copy_(0, placed, some.source);
    all.lab.index_copy_(0, view_rows, some.lab + first_lab_[i]);
  }
  const at::Tensor bounds = at::tensor(at::ArrayRef<std::int64_t>(first_lab_), at::kLong);
  all.lab_range = upload(
      at::stack({bounds.index_select(0, stain), bounds.index_select(0, stain + 1)}, 1).repeat({views, 1}),
      tiles.device());
  return all;
}

double JointManifold::chance(const at::Tensor& stain) const {
  if (manifolds_.size() == 1) return 1.0 / static_cast<double>(labs());
  double sum = 0;
  for (std::size_t i = 0; i < manifolds_.size(); ++i) {
    sum += stain.eq(static_cast<std::int64_t>(i)).sum().item<double>() /
           static_cast<double>(manifolds_[i].options().labs);
  }
  return sum / static_cast<double>(stain.size(0));
}

}  // namespace stainfold
