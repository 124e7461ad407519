// The classical methods' passes over the pixels of tiles, from bytes: what stain/tile_pixels.h promises, on a
// GPU. One block a tile where pixels are summed or ranked, four pixels a thread where they are written.
//
// Nothing here needs a CUDA header: a test compiles this file for the CPU and runs the kernels as they are.
#pragma once

#include <cstdint>

#include "stain/cuda/problems.h"
#include "stain/lab_math.h"
#include "stain/pixel_math.h"
#include "stain/principal_axes.h"

namespace stainfold::tile_kernels {

struct Colour {
  std::uint8_t r, g, b;
};

__device__ inline Colour colour_at(const std::uint8_t* tile, const PixelGrid& grid, std::int32_t point) {
  const std::int32_t row = point / grid.across, column = point % grid.across;
  const std::uint8_t* const at =
      tile + 3 * (static_cast<std::int64_t>(row * grid.stride) * grid.width + column * grid.stride);
  return Colour{at[0], at[1], at[2]};
}

template <int threads>
__device__ void load_table(const LevelTable& table, float* own) {  // [256] shared
  for (int i = static_cast<int>(threadIdx.x); i < 256; i += threads) own[i] = table.value[i];
  __syncthreads();
}

// Sums over the block in a fixed order; the result is thread 0's. threads: a power of two.
template <int threads>
__device__ double block_sum(double value, double* part) {  // [threads] shared
  part[threadIdx.x] = value;
  __syncthreads();
  for (int step = threads / 2; step > 0; step /= 2) {
    if (static_cast<int>(threadIdx.x) < step) part[threadIdx.x] += part[threadIdx.x + step];
    __syncthreads();
  }
  const double sum = part[0];
  __syncthreads();
  return sum;
}

// counted, mean, covariance, positive: as StainedMoments has them.
template <int threads>
__global__ void tile_moments(const std::uint8_t* tiles, PixelGrid grid, LevelTable table, double centre,
                             double* counted, double* mean, double* covariance, double* positive) {
  __shared__ float density[256];
  __shared__ double part[threads];
  load_table<threads>(table, density);
  const std::int64_t tile = blockIdx.x;
  const std::uint8_t* const bytes = tiles + tile * grid.pixels * 3;
  double sum[11] = {};  // stained, positive, r, g, b, rr, rg, rb, gg, gb, bb
  for (std::int32_t i = static_cast<std::int32_t>(threadIdx.x); i < grid.points; i += threads) {
    const Colour at = colour_at(bytes, grid, i);
    const float r = density[at.r], g = density[at.g], b = density[at.b];
    sum[1] += static_cast<double>((r > 0 ? r : 0.0F) + (g > 0 ? g : 0.0F) + (b > 0 ? b : 0.0F));
    if (!is_stained(r, g, b)) continue;
    const double x = static_cast<double>(r) - centre, y = static_cast<double>(g) - centre,
                 z = static_cast<double>(b) - centre;
    sum[0] += 1;
    sum[2] += x;
    sum[3] += y;
    sum[4] += z;
    sum[5] += x * x;
    sum[6] += x * y;
    sum[7] += x * z;
    sum[8] += y * y;
    sum[9] += y * z;
    sum[10] += z * z;
  }
  for (int k = 0; k < 11; ++k) sum[k] = block_sum<threads>(sum[k], part);
  if (threadIdx.x != 0) return;
  counted[tile] = sum[0];
  positive[tile] = sum[1] / (3.0 * grid.points);
  const TileMoments of = moments_of_sums(sum[0], sum + 2, sum + 5, centre);
  for (int k = 0; k < 3; ++k) mean[3 * tile + k] = of.mean[k];
  for (int k = 0; k < 9; ++k) covariance[9 * tile + k] = of.covariance[k];
}

template <int threads>
__global__ void tile_axes(const double* covariance, const double* mean, std::int32_t tiles,
                          double* axes) {  // [tiles,3,2]
  const std::int32_t tile =
      static_cast<std::int32_t>(blockIdx.x) * threads + static_cast<std::int32_t>(threadIdx.x);
  if (tile < tiles) principal_axes(covariance + 9 * tile, mean + 3 * tile, axes + 6 * tile);
}

// A number that orders floats as they are ordered, and back.
__device__ inline std::uint32_t key_of(float value) {
  const auto bits = same_bits_as<std::uint32_t>(value);
  return bits & 0x80000000U ? ~bits : bits | 0x80000000U;
}
__device__ inline float value_of(std::uint32_t key) {
  return same_bits_as<float>(key & 0x80000000U ? key & 0x7fffffffU : ~key);
}

constexpr int kDigits = 2048;

struct Ranking {
  std::uint32_t bins[kDigits], found, within;
};

// The value of rank `rank`, 0 the least, of value(0) ... value(count - 1) without those that are NaN, of
// which there are more than `rank`: a histogram of 11, 11 and 10 bits of their keys. Exact. For all threads
// of the block.
template <int threads, typename Value>
__device__ float value_of_rank(std::int32_t count, std::uint32_t rank, Value value, Ranking& ranking) {
  std::uint32_t prefix = 0;
  for (int digit = 0; digit < 3; ++digit) {
    const int shift = digit == 0 ? 21 : digit == 1 ? 10 : 0, bits = digit == 2 ? 10 : 11;
    for (int i = static_cast<int>(threadIdx.x); i < kDigits; i += threads) ranking.bins[i] = 0;
    __syncthreads();
    for (std::int32_t i = static_cast<std::int32_t>(threadIdx.x); i < count; i += threads) {
      const float given = value(i);
      if (given != given) continue;
      const std::uint32_t key = key_of(given);
      // Of the digits above nothing is left after the shift, in the first round by definition.
      if (digit > 0 && key >> (shift + bits) != prefix) continue;
      atomicAdd(&ranking.bins[(key >> shift) & ((1U << bits) - 1)], 1U);
    }
    __syncthreads();
    // Each thread adds up its bins, the first looks for the part and then for the bin.
    constexpr int own = kDigits / threads;
    std::uint32_t sum = 0;
    for (int i = 0; i < own; ++i) sum += ranking.bins[static_cast<int>(threadIdx.x) * own + i];
    __shared__ std::uint32_t sums[threads];
    sums[threadIdx.x] = sum;
    __syncthreads();
    if (threadIdx.x == 0) {
      std::uint32_t left = rank;
      int part = 0;
      while (part < threads - 1 && left >= sums[part]) left -= sums[part++];
      int bin = part * own;
      while (bin < part * own + own - 1 && left >= ranking.bins[bin]) left -= ranking.bins[bin++];
      ranking.found = static_cast<std::uint32_t>(bin);
      ranking.within = left;
    }
    __syncthreads();
    prefix = (prefix << bits) | ranking.found;
    rank = ranking.within;
    __syncthreads();
  }
  return value_of(prefix);
}

// The angles between which the stained pixels lie in the plane, but for the share `extreme` at either end.
template <int threads>
__global__ void tile_angles(const std::uint8_t* tiles, PixelGrid grid, LevelTable table,
                            const double* counted,
                            const double* axes,  // [tiles,3,2]
                            double extreme, double* low, double* high) {
  __shared__ float density[256];
  __shared__ Ranking ranking;
  load_table<threads>(table, density);
  const std::int64_t tile = blockIdx.x;
  const double stained = counted[tile];
  if (stained < 1) {  // nothing to rank
    if (threadIdx.x == 0) low[tile] = high[tile] = NAN;
    return;
  }
  const std::uint8_t* const bytes = tiles + tile * grid.pixels * 3;
  float axis[6];
  for (int k = 0; k < 6; ++k) axis[k] = static_cast<float>(axes[6 * tile + k]);
  const auto direction = [&](std::int32_t i) -> float {
    const Colour at = colour_at(bytes, grid, i);
    const float r = density[at.r], g = density[at.g], b = density[at.b];
    if (!is_stained(r, g, b)) return NAN;
    return direction_of(axis[0] * r + axis[2] * g + axis[4] * b, axis[1] * r + axis[3] * g + axis[5] * b);
  };
  const auto rank = static_cast<std::uint32_t>(rint(extreme * (stained - 1)));
  const auto last = static_cast<std::uint32_t>(stained) - 1;
  const float least = value_of_rank<threads>(grid.points, rank, direction, ranking);
  const float most = value_of_rank<threads>(grid.points, last - rank, direction, ranking);
  if (threadIdx.x != 0) return;
  low[tile] = angle_of(least);
  high[tile] = angle_of(most);
}

// Of C = maps OD the value of a rank, for each tile (x) and stain (y).
template <int threads>
__global__ void tile_peaks(const std::uint8_t* tiles, std::int32_t pixels, LevelTable table,
                           const float* maps,                   // [tiles,stains,3]
                           std::uint32_t rank, float* peaks) {  // [tiles,stains]
  __shared__ float density[256];
  __shared__ Ranking ranking;
  load_table<threads>(table, density);
  const std::int64_t tile = blockIdx.x, place = tile * gridDim.y + blockIdx.y;
  const std::uint8_t* const bytes = tiles + tile * pixels * 3;
  const float r = maps[3 * place], g = maps[3 * place + 1], b = maps[3 * place + 2];
  const auto amount = [&](std::int32_t i) -> float {
    const std::uint8_t* const at = bytes + 3 * static_cast<std::int64_t>(i);
    return r * density[at[0]] + g * density[at[1]] + b * density[at[2]];
  };
  const float peak = value_of_rank<threads>(pixels, rank, amount, ranking);
  if (threadIdx.x == 0) peaks[place] = peak;
}

// kGlass exp(-map OD) as grey levels.
struct Restain {
  const float* maps;  // [tiles,3,3]
  float glass;
  struct Of {
    float map[9], glass;
  };
  __device__ Of of(std::int64_t tile) const {
    Of own;
    for (int k = 0; k < 9; ++k) own.map[k] = maps[9 * tile + k];
    own.glass = glass;
    return own;
  }
  __device__ static void change(const Of& own, float r, float g, float b, std::uint8_t* into) {
    for (int k = 0; k < 3; ++k) {
      into[k] =
          level_of_density(-own.map[3 * k] * r - own.map[3 * k + 1] * g - own.map[3 * k + 2] * b, own.glass);
    }
  }
};

struct Lab {
  float l, a, b;
};
__device__ inline Lab lab_of(const ColourMatrices& colours, float r, float g, float b) {  // of linear light
  const float* const m = colours.xyz_of_rgb;
  const float x = lightness_of(m[0] * r + m[1] * g + m[2] * b),
              y = lightness_of(m[3] * r + m[4] * g + m[5] * b),
              z = lightness_of(m[6] * r + m[7] * g + m[8] * b);
  return Lab{y * 116.0F - 16.0F, (x - y) * 500.0F, (y - z) * 200.0F};
}

// lab scale + shift as sRGB; see write_moved_lab().
struct Recolour {
  const float* scale;  // [tiles,3]
  const float* shift;  // [tiles,3]
  ColourMatrices colours;
  struct Of {
    float scale[3], shift[3];
    const ColourMatrices* colours;
  };
  __device__ Of of(std::int64_t tile) const {
    Of own;
    for (int k = 0; k < 3; ++k) {
      own.scale[k] = scale[3 * tile + k];
      own.shift[k] = shift[3 * tile + k];
    }
    own.colours = &colours;
    return own;
  }
  __device__ static void change(const Of& own, float r, float g, float b, std::uint8_t* into) {
    const Lab lab = lab_of(*own.colours, r, g, b);
    const float lightness = lab.l * own.scale[0] + own.shift[0], red = lab.a * own.scale[1] + own.shift[1],
                yellow = lab.b * own.scale[2] + own.shift[2];
    const float fy = (lightness + 16.0F) * (1.0F / 116.0F), below = fy - yellow * (1.0F / 200.0F);
    const float x = light_of(fy + red * (1.0F / 500.0F)), y = light_of(fy),
                z = light_of(below > 0 ? below : 0.0F);
    const float* const m = own.colours->rgb_of_xyz;
    for (int k = 0; k < 3; ++k) {
      const float value = 255.0F * encoded(m[3 * k] * x + m[3 * k + 1] * y + m[3 * k + 2] * z);
      into[k] = static_cast<std::uint8_t>(static_cast<std::int32_t>(value));
    }
  }
};

// Four pixels at a time, three words, where `words` says that they are aligned; what is left over byte by
// byte. Tiles are y, pixels x.
template <int threads, typename Change>
__global__ void rewrite_tiles(const std::uint8_t* tiles, std::int32_t pixels, bool words, LevelTable table,
                              Change change, const bool* usable, std::uint8_t* result) {
  __shared__ float value[256];
  load_table<threads>(table, value);
  const std::int64_t tile = blockIdx.y, start = tile * pixels * 3;
  const auto own = change.of(tile);
  const bool changes = usable[tile];
  const std::int32_t quads = (pixels + 3) / 4, step = static_cast<std::int32_t>(gridDim.x) * threads;
  for (std::int32_t q =
           static_cast<std::int32_t>(blockIdx.x) * threads + static_cast<std::int32_t>(threadIdx.x);
       q < quads; q += step) {
    const std::int64_t first = start + 12 * static_cast<std::int64_t>(q);
    const std::int32_t bytes = 3 * (pixels - 4 * q < 4 ? pixels - 4 * q : 4);
    union {
      std::uint32_t word[3];
      std::uint8_t byte[12];
    } in, out;
    const bool whole = words && bytes == 12;
    if (whole) {
      const auto* const from = reinterpret_cast<const std::uint32_t*>(tiles + first);
      for (int k = 0; k < 3; ++k) in.word[k] = from[k];
    } else {
      for (int k = 0; k < 12; ++k) in.byte[k] = k < bytes ? tiles[first + k] : std::uint8_t{0};
    }
    for (int k = 0; k < 3; ++k) out.word[k] = in.word[k];
    if (changes) {
      for (int p = 0; p < 12; p += 3) {
        Change::change(own, value[in.byte[p]], value[in.byte[p + 1]], value[in.byte[p + 2]], out.byte + p);
      }
    }
    if (whole) {
      auto* const into = reinterpret_cast<std::uint32_t*>(result + first);
      for (int k = 0; k < 3; ++k) into[k] = out.word[k];
    } else {
      for (int k = 0; k < bytes; ++k) result[first + k] = out.byte[k];
    }
  }
}

// Mean and deviation (of a sample) of L, a, b.
template <int threads>
__global__ void tile_lab_moments(const std::uint8_t* tiles, std::int32_t pixels, LevelTable linear,
                                 ColourMatrices colours,
                                 double* moments) {  // [tiles,6]
  __shared__ float value[256];
  __shared__ double part[threads];
  load_table<threads>(linear, value);
  const std::int64_t tile = blockIdx.x;
  const std::uint8_t* const bytes = tiles + tile * pixels * 3;
  double sum[6] = {};
  for (std::int32_t i = static_cast<std::int32_t>(threadIdx.x); i < pixels; i += threads) {
    const std::uint8_t* const at = bytes + 3 * static_cast<std::int64_t>(i);
    const Lab lab = lab_of(colours, value[at[0]], value[at[1]], value[at[2]]);
    const double channel[3] = {static_cast<double>(lab.l), static_cast<double>(lab.a),
                               static_cast<double>(lab.b)};
    for (int k = 0; k < 3; ++k) {
      sum[k] += channel[k];
      sum[3 + k] += channel[k] * channel[k];
    }
  }
  for (int k = 0; k < 6; ++k) sum[k] = block_sum<threads>(sum[k], part);
  if (threadIdx.x != 0) return;
  for (int k = 0; k < 3; ++k) {
    const double mean = sum[k] / pixels, square = sum[3 + k] - pixels * mean * mean;
    moments[6 * tile + k] = mean;
    moments[6 * tile + 3 + k] = sqrt((square > 0 ? square : 0.0) / (pixels > 1 ? pixels - 1.0 : 1.0));
  }
}

}  // namespace stainfold::tile_kernels
