#include <ATen/ATen.h>

#include <array>

#include "core/checks.h"
#include "stainfold/attribution.h"

namespace stainfold {
namespace {

using Knots = std::vector<std::array<float, 3>>;

// Viridis (van der Walt & Smith 2015) and a diverging map after Brewer's RdBu: even steps of lightness.
const Knots kSequential{{68, 1, 84},    {72, 40, 120},  {62, 74, 137},  {49, 104, 142}, {38, 130, 142},
                        {31, 158, 137}, {53, 183, 121}, {109, 205, 89}, {180, 222, 44}, {253, 231, 37}};
const Knots kDiverging{{33, 102, 172},  {103, 169, 207}, {209, 229, 240}, {247, 247, 247},
                       {253, 219, 199}, {239, 138, 98},  {178, 24, 43}};

constexpr double kScale = 0.99;   // the percentile that is full colour
constexpr double kOpacity = 0.7;  // of the colours over the grey tile

at::Tensor table_of(const Knots& knots, const at::Tensor& like) {  // -> [K,3]
  return at::from_blob(const_cast<float*>(knots[0].data()), {static_cast<std::int64_t>(knots.size()), 3},
                       at::kFloat)
      .to(like.device());
}

at::Tensor coloured(const at::Tensor& level, const Knots& knots) {  // [0,1] any shape -> [...,3]
  const at::Tensor table = table_of(knots, level);
  const at::Tensor place = level * static_cast<double>(table.size(0) - 1);
  const at::Tensor low = place.floor().clamp_max_(static_cast<double>(table.size(0) - 2));
  const at::Tensor index = low.to(at::kLong), share = (place - low).unsqueeze(-1);
  return table.index({index}) * (1 - share) + table.index({index + 1}) * share;
}

}  // namespace

at::Tensor attribution_overlay(const at::Tensor& tiles, const at::Tensor& map, bool diverging,
                               std::int64_t smooth) {
  check_tiles(tiles);
  check_shape(map, "map", {tiles.size(0), tiles.size(1), tiles.size(2)});
  check_option(smooth >= 1 && smooth % 2 == 1, "smooth must be odd, got " + std::to_string(smooth));
  const at::NoGradGuard no_grad;
  // A colour's place in the table is computed from it.
  if (!at::isfinite(map).all().item<bool>()) throw Error(ErrorCode::non_finite, "map holds NaN or infinity");
  const at::Tensor even = at::avg_pool2d(map.to(at::kFloat).unsqueeze(1), {smooth, smooth}, {1, 1},
                                         {smooth / 2, smooth / 2}, /*ceil_mode=*/false,
                                         /*count_include_pad=*/false)
                              .squeeze(1);
  // By rank: quantile() refuses large inputs.
  const at::Tensor sizes = even.abs().flatten(1);
  const auto rank = 1 + static_cast<std::int64_t>(kScale * static_cast<double>(sizes.size(1) - 1));
  const at::Tensor limit = std::get<0>(sizes.kthvalue(rank, 1)).clamp_min(1e-20).view({-1, 1, 1});
  const at::Tensor level = diverging ? ((even / limit).clamp(-1, 1) + 1) * 0.5 : (even / limit).clamp(0, 1);
  const at::Tensor colour = coloured(level, diverging ? kDiverging : kSequential);
  const at::Tensor grey = tiles.to(at::kFloat).mean(3, /*keepdim=*/true);
  return (kOpacity * colour + (1 - kOpacity) * grey).round_().clamp_(0, 255).to(at::kByte).contiguous();
}

}  // namespace stainfold
