#include "stain/tile_pixels.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

#include "core/parallel.h"
#include "stain/device_pixels.h"
#include "stain/level_tables.h"
#include "stain/optical_density.h"
#include "stain/pixel_math.h"
#include "stain/ranked_values.h"
#include "stain/simd/density_loops.h"
#include "stain/simd/lab_loops.h"
#include "stain/stained_pixels.h"

namespace stainfold {
namespace {

using Table = Levels;

// A batch in memory, and how its pixels are walked through.
struct Bytes {
  at::Tensor tiles;  // contiguous
  std::int64_t count, height, width;
  const std::uint8_t* first;

  explicit Bytes(const at::Tensor& given)
      : tiles(given.contiguous()),
        count(tiles.size(0)),
        height(tiles.size(1)),
        width(tiles.size(2)),
        first(tiles.const_data_ptr<std::uint8_t>()) {}

  std::int64_t pixels() const { return height * width; }
  const std::uint8_t* tile(std::int64_t index) const { return first + index * pixels() * 3; }

  // use(planes, first pixel, count) for runs of all pixels of a tile.
  template <typename Use>
  void each_run(std::int64_t index, const Table& table, Use use) const {
    Planes planes;
    for (std::int64_t at = 0; at < pixels(); at += kRun) {
      const std::int64_t run = std::min(kRun, pixels() - at);
      look_up(tile(index) + 3 * at, 3, run, table.data(), planes);
      use(planes, at, run);
    }
  }

  // The same for every stride-th pixel of every stride-th line.
  template <typename Use>
  void each_run_of_grid(std::int64_t index, std::int64_t stride, const Table& table, Use use) const {
    if (stride == 1) return each_run(index, table, use);
    Planes planes;
    const std::int64_t across = (width - 1) / stride + 1;
    std::int64_t seen = 0;
    for (std::int64_t y = 0; y < height; y += stride) {
      for (std::int64_t x = 0; x < across; x += kRun) {
        const std::int64_t run = std::min(kRun, across - x);
        look_up(tile(index) + 3 * (y * width + x * stride), 3 * stride, run, table.data(), planes);
        use(planes, seen, run);
        seen += run;
      }
    }
  }
};

// Rows of a contiguous float32 copy.
struct FloatRows {
  at::Tensor values;
  explicit FloatRows(const at::Tensor& given) : values(given.to(at::kFloat).contiguous()) {}
  template <std::size_t N>
  std::array<float, N> at(std::int64_t row) const {
    std::array<float, N> numbers;
    std::copy_n(values.const_data_ptr<float>() + row * static_cast<std::int64_t>(N), N, numbers.begin());
    return numbers;
  }
};

// write(tile, its bytes) for the usable ones; the others are copied.
template <typename Write>
at::Tensor rewritten(const Bytes& bytes, const at::Tensor& usable, Write write) {
  at::Tensor result = at::empty_like(bytes.tiles);
  const at::Tensor flags = usable.contiguous();
  const bool* const use = flags.const_data_ptr<bool>();
  std::uint8_t* const into = result.mutable_data_ptr<std::uint8_t>();
  const std::int64_t size = bytes.pixels() * 3;
  in_parallel(bytes.count, [&](std::int64_t i) {
    if (use[i]) {
      write(i, into + i * size);
    } else {
      std::memcpy(into + i * size, bytes.tile(i), static_cast<std::size_t>(size));
    }
  });
  return result;
}

}  // namespace

bool read_from_bytes(const at::Tensor& tiles) { return tiles.is_cpu() || tiles.is_cuda(); }

StainedMoments stained_moments(const at::Tensor& tiles, std::int64_t sampled_pixels) {
  if (tiles.is_cuda()) return on_cuda::stained_moments(tiles, sampled_pixels);
  const Bytes bytes(tiles);
  const std::int64_t stride = grid_stride(bytes.height, bytes.width, sampled_pixels);
  const std::int64_t pixels = ((bytes.height - 1) / stride + 1) * ((bytes.width - 1) / stride + 1);
  StainedMoments result;
  result.counted = at::empty({bytes.count, 1}, at::kDouble);
  result.mean = at::empty({bytes.count, 3}, at::kDouble);
  result.covariance = at::empty({bytes.count, 3, 3}, at::kDouble);
  result.positive = at::empty({bytes.count}, at::kDouble);
  result.pixels = pixels;
  double* const counted = result.counted.mutable_data_ptr<double>();
  double* const mean = result.mean.mutable_data_ptr<double>();
  double* const covariance = result.covariance.mutable_data_ptr<double>();
  double* const positive = result.positive.mutable_data_ptr<double>();
  const Table& table = density_levels();
  in_parallel(bytes.count, [&](std::int64_t i) {
    DensityMoments m;
    bytes.each_run_of_grid(i, stride, table, [&](const Planes& density, std::int64_t, std::int64_t run) {
      add_moments(density, run, m);
    });
    counted[i] = m.stained;
    positive[i] = m.positive / static_cast<double>(3 * pixels);
    const TileMoments of = moments_of_sums(m.stained, m.sum, m.product, DensityMoments::kCentre);
    std::copy_n(of.mean, 3, mean + 3 * i);
    std::copy_n(of.covariance, 9, covariance + 9 * i);
  });
  return result;
}

StainedMean stained_mean(const at::Tensor& tiles, std::int64_t sampled_pixels) {
  if (tiles.is_cuda()) {
    const StainedMoments moments = stained_moments(tiles, sampled_pixels);
    return {moments.counted.squeeze(1), moments.mean, moments.pixels};
  }
  const Bytes bytes(tiles);
  const std::int64_t stride = grid_stride(bytes.height, bytes.width, sampled_pixels);
  StainedMean result;
  result.counted = at::empty({bytes.count}, at::kDouble);
  result.mean = at::empty({bytes.count, 3}, at::kDouble);
  result.pixels = ((bytes.height - 1) / stride + 1) * ((bytes.width - 1) / stride + 1);
  double* const counted = result.counted.mutable_data_ptr<double>();
  double* const mean = result.mean.mutable_data_ptr<double>();
  in_parallel(bytes.count, [&](std::int64_t i) {
    StainedSums sums;
    bytes.each_run_of_grid(
        i, stride, density_levels(),
        [&](const Planes& density, std::int64_t, std::int64_t run) { add_stained(density, run, sums); });
    counted[i] = sums.stained;
    for (int k = 0; k < 3; ++k) mean[3 * i + k] = sums.sum[k] / std::max(1.0, sums.stained);
  });
  return result;
}

Separation separate_tile_stains(const at::Tensor& tiles, const StainedMoments& moments,
                                std::int64_t sampled_pixels) {
  const at::Tensor plane = principal_plane(moments);
  if (tiles.is_cuda()) {
    const auto [low, high] = on_cuda::extreme_angles(tiles, moments, plane, sampled_pixels);
    return separation_between(moments, plane, low, high);
  }
  const Bytes bytes(tiles);
  const std::int64_t stride = grid_stride(bytes.height, bytes.width, sampled_pixels);
  const FloatRows axes(plane.transpose(1, 2));  // [B,2,3]
  at::Tensor low = at::empty({bytes.count, 1}, at::kDouble), high = at::empty({bytes.count, 1}, at::kDouble);
  double* const lows = low.mutable_data_ptr<double>();
  double* const highs = high.mutable_data_ptr<double>();
  const Table& table = density_levels();
  in_parallel(bytes.count, [&](std::int64_t i) {
    // Stained pixels lie in the first octant, and so within 90 degrees of the axis that points at their mean.
    thread_local RankedValues values(-0.5F, 2.5F);
    values.clear();
    const std::array<float, 6> axis = axes.at<6>(i);
    const PlaneAxes given{{{axis[0], axis[1], axis[2]}, {axis[3], axis[4], axis[5]}}};
    bytes.each_run_of_grid(i, stride, table, [&](const Planes& density, std::int64_t, std::int64_t run) {
      directions(density, run, given, values.room(run));
      values.place(run);
    });
    const auto rank =
        static_cast<std::int64_t>(std::nearbyint(kExtreme * static_cast<double>(values.size() - 1)));
    lows[i] = angle_of(values.at(rank));
    highs[i] = angle_of(values.at(values.size() - 1 - rank));
  });
  return separation_between(moments, plane, low, high);
}

at::Tensor tile_peaks(const at::Tensor& tiles, const at::Tensor& maps) {
  if (tiles.is_cuda()) return on_cuda::tile_peaks(tiles, maps);
  const Bytes bytes(tiles);
  const std::int64_t stains = maps.size(1);
  const FloatRows rows(maps);
  at::Tensor peaks = at::empty({bytes.count, stains}, at::kFloat);
  float* const peak = peaks.mutable_data_ptr<float>();
  const std::int64_t rank = peak_rank(bytes.pixels());
  const Table& table = density_levels();
  in_parallel(bytes.count, [&](std::int64_t i) {
    thread_local std::array<RankedValues, 3> values = {RankedValues(-1, 7), RankedValues(-1, 7),
                                                       RankedValues(-1, 7)};
    for (RankedValues& v : values) v.clear();
    bytes.each_run(i, table, [&](const Planes& density, std::int64_t, std::int64_t run) {
      for (std::int64_t s = 0; s < stains; ++s) {
        RankedValues& amounts = values[static_cast<std::size_t>(s)];
        project(density, run, rows.at<3>(i * stains + s), amounts.room(run));
        amounts.place(run);
      }
    });
    for (std::int64_t s = 0; s < stains; ++s) {
      peak[i * stains + s] = values[static_cast<std::size_t>(s)].at(rank);
    }
  });
  return peaks;
}

at::Tensor mapped_tiles(const at::Tensor& tiles, const at::Tensor& maps, const at::Tensor& usable) {
  if (tiles.is_cuda()) return on_cuda::mapped_tiles(tiles, maps, usable);
  const Bytes bytes(tiles);
  const FloatRows rows(maps);
  const Table& table = density_levels();
  return rewritten(bytes, usable, [&](std::int64_t i, std::uint8_t* into) {
    const std::array<float, 9> map = rows.at<9>(i);
    bytes.each_run(i, table, [&](const Planes& density, std::int64_t first, std::int64_t run) {
      write_light(density, run, map, static_cast<float>(kGlass), into + 3 * first);
    });
  });
}

at::Tensor tile_lab_moments(const at::Tensor& tiles) {
  if (tiles.is_cuda()) return on_cuda::tile_lab_moments(tiles);
  const Bytes bytes(tiles);
  at::Tensor result = at::empty({bytes.count, 6}, at::kDouble);
  double* const values = result.mutable_data_ptr<double>();
  const Table& table = linear_levels();
  const ColourMatrix& matrix = colour_spaces().xyz_of_rgb;
  const auto pixels = static_cast<double>(bytes.pixels());
  in_parallel(bytes.count, [&](std::int64_t i) {
    LabMoments m;
    bytes.each_run(i, table, [&](Planes& planes, std::int64_t, std::int64_t run) {
      lab_of_linear(planes, run, matrix);
      add_moments(planes, run, m);
    });
    for (int k = 0; k < 3; ++k) {
      const double off = m.sum[k] / pixels;
      values[6 * i + k] = static_cast<double>(m.centre[k]) + off;
      values[6 * i + 3 + k] =
          std::sqrt(std::max(0.0, m.square[k] - pixels * off * off) / std::max(1.0, pixels - 1));
    }
  });
  return result;
}

at::Tensor moved_lab_tiles(const at::Tensor& tiles, const at::Tensor& scale, const at::Tensor& shift,
                           const at::Tensor& usable) {
  if (tiles.is_cuda()) return on_cuda::moved_lab_tiles(tiles, scale, shift, usable);
  const Bytes bytes(tiles);
  const FloatRows scales(scale), shifts(shift);
  const Table& table = linear_levels();
  const ColourSpaces& matrices = colour_spaces();
  return rewritten(bytes, usable, [&](std::int64_t i, std::uint8_t* into) {
    const std::array<float, 3> by = scales.at<3>(i), to = shifts.at<3>(i);
    bytes.each_run(i, table, [&](Planes& planes, std::int64_t first, std::int64_t run) {
      lab_of_linear(planes, run, matrices.xyz_of_rgb);
      write_moved_lab(planes, run, by, to, matrices.rgb_of_xyz, into + 3 * first);
    });
  });
}

}  // namespace stainfold
