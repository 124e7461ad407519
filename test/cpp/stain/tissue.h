// Images of closed form, so that tests know the truth about them.
#pragma once

#include <array>
#include <cmath>
#include <cstdint>

#include "testing.h"

namespace stainfold::testing {

using Stains = std::array<std::array<double, 2>, 3>;  // M, rows R, G, B; columns haematoxylin, eosin

// torchstain's reference stain matrix.
constexpr Stains kReferenceStains = {{{0.5626, 0.2159}, {0.7201, 0.8012}, {0.4062, 0.5581}}};

// Two concentrations that run over their ranges, the way abcd says, and I = 240 exp(-strength M C), rounded.
inline at::Tensor two_stain_tile(const Stains& stains, std::array<int, 4> abcd, double strength,
                                 std::int64_t size) {  // -> [size,size,3] uint8
  const auto [a, b, c, d] = abcd;
  at::Tensor tile = at::empty({size, size, 3}, at::kByte);
  auto pixel = tile.accessor<std::uint8_t, 3>();
  for (int y = 0; y < size; ++y) {
    for (int x = 0; x < size; ++x) {
      const double haematoxylin = 0.3 + 1.8 * ((a * x + b * y) % 64) / 63.0;
      const double eosin = 0.2 + ((c * x + d * y) % 61) / 60.0;
      for (int k = 0; k < 3; ++k) {
        const double density = strength * (stains[k][0] * haematoxylin + stains[k][1] * eosin);
        pixel[y][x][k] = static_cast<std::uint8_t>(std::floor(240.0 * std::exp(-density) + 0.5));
      }
    }
  }
  return tile;
}

// A few different stained tiles of one lab.
inline at::Tensor stained_tiles(std::int64_t count, std::int64_t size) {  // -> [count,size,size,3] uint8
  std::vector<at::Tensor> tiles;
  for (std::int64_t i = 0; i < count; ++i) {
    const int n = static_cast<int>(i);
    tiles.push_back(two_stain_tile(kReferenceStains, {7 + 2 * n, 3 + n, 5 + n, 11 + 3 * n}, 1.0, size));
  }
  return at::stack(tiles);
}

inline at::Tensor uniform_tile(int red, int green, int blue,
                               std::int64_t size) {  // -> [1,size,size,3] uint8
  return at::tensor({red, green, blue}, at::kInt).to(at::kByte).expand({1, size, size, 3}).contiguous();
}

inline at::Tensor noise_tiles(std::int64_t count, std::int64_t size) {  // -> [count,size,size,3] uint8
  // A linear congruential generator: the same noise whatever LibTorch does.
  at::Tensor tiles = at::empty({count, size, size, 3}, at::kByte);
  std::uint32_t state = 1;
  std::uint8_t* const bytes = tiles.data_ptr<std::uint8_t>();
  for (std::int64_t i = 0; i < tiles.numel(); ++i) {
    state = state * 1664525U + 1013904223U;
    bytes[i] = static_cast<std::uint8_t>(state >> 24);
  }
  return tiles;
}

// [B,H,W,3] uint8 -> [B,3,H,W] float32, grey levels
inline at::Tensor planes(const at::Tensor& tiles) {
  return tiles.permute({0, 3, 1, 2}).contiguous().to(at::kFloat);
}

// Angle between two vectors of three, degrees.
inline double degrees_between(const at::Tensor& a, const at::Tensor& b) {
  const at::Tensor x = a.to(at::kDouble), y = b.to(at::kDouble);
  return std::atan2(at::linalg_cross(x, y).norm().item<double>(), x.dot(y).item<double>()) * 180.0 / M_PI;
}

// Peak signal-to-noise ratio of images in [0,1], decibel.
inline double psnr(const at::Tensor& a, const at::Tensor& b) {
  return -10.0 * std::log10((a - b).to(at::kDouble).square().mean().item<double>());
}

}  // namespace stainfold::testing
