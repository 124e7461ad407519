#include "stainfold/audit.h"

#include <ATen/ATen.h>

#include <cmath>

#include "stain/focus.h"
#include "stain/optical_density.h"
#include "stain/separation.h"
#include "testing.h"
#include "tissue.h"

using namespace stainfold;
using namespace stainfold::testing;

namespace {

at::Tensor audited(const at::Tensor& tiles, std::int64_t column, std::int64_t columns = 1) {
  return audit_tiles(tiles).narrow(1, column, columns);
}

}  // namespace

TEST_CASE("the audit sees a stronger stain as its logarithm, and the vectors as they are") {
  const at::Tensor weak = two_stain_tile(kReferenceStains, {7, 3, 5, 11}, 0.8, 96).unsqueeze(0);
  const at::Tensor strong = two_stain_tile(kReferenceStains, {7, 3, 5, 11}, 1.2, 96).unsqueeze(0);
  const at::Tensor change = audited(strong, audit::kLogPeak, 2) - audited(weak, audit::kLogPeak, 2);
  CHECK((change - std::log(1.5)).abs().max().item<double>() < 0.03);  // 8-bit rounding of dark pixels
  // The angles of the separation's own vectors.
  const at::Tensor stains = separate_stains(optical_density(planes(strong))).stains.squeeze(0);
  const at::Tensor angles = audited(strong, audit::kAngle, 4).squeeze(0);
  for (int k = 0; k < 2; ++k) {
    const auto at_row = [&](int row) { return stains[row][k].item<double>(); };
    CHECK(std::abs(angles[2 * k].item<double>() - std::atan2(at_row(2), at_row(1)) * 180 / M_PI) < 1e-3);
    CHECK(std::abs(angles[2 * k + 1].item<double>() - std::asin(at_row(0)) * 180 / M_PI) < 1e-3);
  }
  CHECK(audited(strong, audit::kStatus).item<double>() == 0);
}

TEST_CASE("the audit's colours are CIELAB") {
  // Reference values of sRGB primaries under D65 (Lindbloom).
  const auto lab = [](int r, int g, int b) {
    return audited(uniform_tile(r, g, b, 16), audit::kLabMean, 3).squeeze(0);
  };
  CHECK((lab(255, 0, 0) - at::tensor({53.24, 80.09, 67.20}, at::kFloat)).abs().max().item<double>() < 0.05);
  CHECK((lab(0, 0, 255) - at::tensor({32.30, 79.19, -107.86}, at::kFloat)).abs().max().item<double>() < 0.05);
  CHECK((lab(255, 255, 255) - at::tensor({100.0, 0.0, 0.0}, at::kFloat)).abs().max().item<double>() < 0.05);
  CHECK((lab(10, 10, 10) - at::tensor({2.74, 0.0, 0.0}, at::kFloat)).abs().max().item<double>() < 0.05);
}

TEST_CASE("white, blur and copies show in their columns") {
  CHECK(audited(uniform_tile(245, 245, 245, 32), audit::kWhite).item<double>() == 1);
  CHECK(audited(uniform_tile(245, 245, 245, 32), audit::kStatus).item<double>() == 2);
  const at::Tensor tiles = stained_tiles(4, 64);
  CHECK(audited(tiles, audit::kWhite).max().item<double>() == 0);

  const at::Tensor sharp = planes(tiles) / 255.0;
  const at::Tensor soft =
      refocus(sharp, at::ones({4}), 2.0).mul(255).round().to(at::kByte).permute({0, 2, 3, 1});
  CHECK((audited(soft.contiguous(), audit::kSharpness) < 0.5 * audited(tiles, audit::kSharpness))
            .all()
            .item<bool>());

  const at::Tensor hashes = audited(tiles, audit::kHash, 4);
  for (int i = 1; i < 4; ++i) CHECK_FALSE(at::equal(hashes[0], hashes[i]));
  at::Tensor again = tiles.clone();
  again.add_(1);  // saved again, a grey level brighter
  CHECK(at::equal(audited(again, audit::kHash, 4), hashes));
}

TEST_CASE("the audit is finite on anything") {
  const at::Tensor odd =
      at::cat({uniform_tile(0, 0, 0, 37), uniform_tile(255, 255, 255, 37), noise_tiles(1, 37)});
  CHECK(audit_tiles(odd).isfinite().all().item<bool>());
  CHECK(code_of([] { audit_tiles(uniform_tile(0, 0, 0, 8)); }) == ErrorCode::option);
}
