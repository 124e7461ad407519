#include "stainfold/audit.h"

#include <ATen/ATen.h>

#include <cmath>
#include <vector>

#include "core/checks.h"
#include "stain/cielab.h"
#include "stain/optical_density.h"
#include "stain/separation.h"

namespace stainfold {
namespace {

constexpr double kDegrees = 180.0 / M_PI;
constexpr double kLeastPeak = 1e-3;  // of a concentration: less is nothing
constexpr double kLeastDetail = 1e-7;
constexpr double kGlassDensity = 0.08;  // a brighter pixel in every channel shows no tissue: grey level 221

// Energy that halving the resolution takes away.
at::Tensor octave_energy(const at::Tensor& fine, const at::Tensor& coarse) {
  return fine.square().mean({1, 2, 3}) - coarse.square().mean({1, 2, 3});
}

// Which of each two neighbours in an 8 x 9 miniature is brighter: the same for a copy that was saved again.
at::Tensor difference_hash(const at::Tensor& density) {  // [N,3,H,W] -> [N,4], 16 bits each
  const at::Tensor small = at::adaptive_avg_pool2d(density.mean(1, /*keepdim=*/true), {8, 9}).squeeze(1);
  const at::Tensor bits =
      (small.slice(2, 1) > small.slice(2, 0, 8)).to(at::kFloat).flatten(1).view({-1, 4, 16});
  const at::Tensor weights = at::pow(2.0, at::arange(16, bits.options()));
  return (bits * weights).sum(2);
}

}  // namespace

at::Tensor audit_tiles(const at::Tensor& tiles) {
  check_tiles(tiles);
  check_option(tiles.size(1) >= 16 && tiles.size(2) >= 16, "tiles must be 16 pixels wide at least");
  const at::NoGradGuard no_grad;
  const at::Tensor grey = tiles.permute({0, 3, 1, 2}).to(at::kFloat).contiguous();
  const at::Tensor density = optical_density(grey);
  const Separation separation = separate_stains(density);
  const at::Tensor peaks = peak_concentrations(concentrations(density, separation.stains));
  const at::Tensor vectors = separation.stains.transpose(1, 2);  // [N,2,3]
  const at::Tensor hue = at::atan2(vectors.select(2, 2), vectors.select(2, 1)) * kDegrees;
  const at::Tensor tilt = vectors.select(2, 0).clamp(-1, 1).asin() * kDegrees;
  const at::Tensor lab = cielab_of_srgb(grey / 255.0).flatten(2);
  const at::Tensor white = at::amax(density, 1).lt(kGlassDensity).to(at::kFloat).mean({1, 2});

  at::Tensor detail = density.narrow(1, 1, 1);  // green: both stains absorb it
  std::vector<at::Tensor> octaves;
  for (int octave = 0; octave < 3; ++octave) {
    // An odd last row or column is left out of the coarser grid.
    detail = detail.slice(2, 0, detail.size(2) / 2 * 2).slice(3, 0, detail.size(3) / 2 * 2);
    const at::Tensor coarse = at::avg_pool2d(detail, {2, 2});
    octaves.push_back(octave_energy(detail, coarse));
    detail = coarse;
  }
  const at::Tensor sharpness = octaves[0] / (octaves[0] + octaves[1] + octaves[2] + kLeastDetail);
  return at::cat({peaks.clamp_min(kLeastPeak).log(), at::stack({hue, tilt}, 2).flatten(1),
                  separation.status.to(at::kFloat).unsqueeze(1), lab.mean(2), lab.std(2, /*unbiased=*/false),
                  white.unsqueeze(1), sharpness.unsqueeze(1), difference_hash(density)},
                 1)
      .contiguous();
}

}  // namespace stainfold
