// The rendering of views on a GPU: from the bytes of a tile to light in one pass, in which stain, scanner,
// focus and the file's transform follow one another in shared memory; views that were saved as JPEG take a
// second one, because chroma reaches over its blocks.
//
// Nothing here needs a CUDA header: a test compiles this file for the CPU and runs the kernels as they are.
#pragma once

#include <cstdint>

#include "stain/cuda/problems.h"
#include "stain/pixel_math.h"

namespace stainfold::view_kernels {

constexpr int kSide = kMacroblock;  // a block of threads, a pixel each
constexpr int threads = kSide * kSide;

__device__ inline std::int32_t padded(std::int32_t side) { return (side + kSide - 1) / kSide * kSide; }
__device__ inline std::int32_t held(std::int32_t place, std::int32_t last) {
  return place < 0 ? 0 : place < last ? place : last;
}

// The transform of the four 8 x 8 blocks of luma and, by half of the threads, of the two of chroma: along
// lines or columns, with the matrix or its transpose.
struct Planes {
  float luma[threads], chroma[threads / 2];
};
__device__ inline float eight(const float* values, int stride, const float* cosine, int row, bool back) {
  float sum = 0;
  for (int i = 0; i < 8; ++i) sum += (back ? cosine[8 * i + row] : cosine[8 * row + i]) * values[i * stride];
  return sum;
}
__device__ inline void transform(const Planes& from, Planes& to, const float* cosine, bool down, bool back) {
  const int i = static_cast<int>(threadIdx.x), x = i % kSide, y = i / kSide;
  to.luma[i] = down ? eight(from.luma + (y & 8) * kSide + x, kSide, cosine, y & 7, back)
                    : eight(from.luma + y * kSide + (x & 8), 1, cosine, x & 7, back);
  if (i < threads / 2) {
    const int u = i % 8, v = i / 8 % 8, plane = i / 64 * 64;
    to.chroma[i] = down ? eight(from.chroma + plane + u, 8, cosine, v, back)
                        : eight(from.chroma + plane + 8 * v, 1, cosine, u, back);
  }
  __syncthreads();
}

// Macroblocks are x, views y. reach: the largest radius of focus that there is room for.
template <int reach>
__global__ void paint_views(const std::uint8_t* tiles, Picture picture, LevelTable table, ViewCurves curves,
                            ViewFocus focus, ViewJpeg jpeg, float* light) {  // [views,3,height,width]
  constexpr int most = kSide + 2 * reach;
  __shared__ float density[256], cosine[64];
  __shared__ float around[3][most * most], lines[3][most * kSide];
  __shared__ Planes one, other;
  __shared__ float chroma[2][threads];
  const int i = static_cast<int>(threadIdx.x), tx = i % kSide, ty = i / kSide;
  density[i] = table.value[i];
  if (i < 64) cosine[i] = jpeg.cosine[i];
  __syncthreads();

  const std::int32_t columns = padded(picture.width), macros = columns / kSide;
  const std::int32_t left = static_cast<std::int32_t>(blockIdx.x) % macros * kSide,
                     top = static_cast<std::int32_t>(blockIdx.x) / macros * kSide;
  const std::int64_t plane = static_cast<std::int64_t>(picture.height) * picture.width;
  // Beyond the picture its edge goes on: for focus, and for the macroblocks of JPEG.
  const int cx = held(left + tx, picture.width - 1) - left, cy = held(top + ty, picture.height - 1) - top;

  for (std::int32_t view = static_cast<std::int32_t>(blockIdx.y); view < picture.views;
       view += static_cast<std::int32_t>(gridDim.y)) {
    const std::int32_t blurred = focus.place ? focus.place[view] : -1,
                       saved = jpeg.place ? jpeg.place[view] : -1;
    const int radius = blurred < 0 ? 0 : focus.radius, side = kSide + 2 * radius;
    const std::uint8_t* const bytes = tiles + view % picture.tiles * plane * 3;
    const float* const slope = curves.slope + 9 * static_cast<std::int64_t>(view);

    for (int at = i; at < side * side; at += threads) {
      const std::int32_t x = held(left + at % side - radius, picture.width - 1),
                         y = held(top + at / side - radius, picture.height - 1);
      const std::uint8_t* const pixel = bytes + 3 * (static_cast<std::int64_t>(y) * picture.width + x);
      const float r = density[pixel[0]], g = density[pixel[1]], b = density[pixel[2]];
      for (int k = 0; k < 3; ++k) {
        const float power =
            curves.intercept[3 * view + k] + slope[3 * k] * r + slope[3 * k + 1] * g + slope[3 * k + 2] * b;
        around[k][at] = light_on_curve(power, curves.brightest[3 * view + k]);
      }
    }
    __syncthreads();

    float value[3];
    for (int k = 0; k < 3; ++k) value[k] = around[k][(cy + radius) * side + cx + radius];
    if (blurred >= 0) {
      const float* const profile = focus.profile + blurred * (2 * radius + 1);
      for (int at = i; at < side * kSide; at += threads) {
        const int row = at / kSide, x = held(left + at % kSide, picture.width - 1) - left;
        for (int k = 0; k < 3; ++k) {
          float sum = 0;
          for (int tap = 0; tap <= 2 * radius; ++tap) sum += profile[tap] * around[k][row * side + x + tap];
          lines[k][at] = sum;
        }
      }
      __syncthreads();
      const float weight = focus.weight[blurred];
      for (int k = 0; k < 3; ++k) {
        float sum = 0;
        for (int tap = 0; tap <= 2 * radius; ++tap) sum += profile[tap] * lines[k][(cy + tap) * kSide + tx];
        value[k] = clipped(weight * sum + (1.0F - weight) * value[k]);
      }
    }

    if (saved < 0) {
      if (left + tx < picture.width && top + ty < picture.height) {
        float* const into =
            light + 3 * view * plane + static_cast<std::int64_t>(top + ty) * picture.width + left + tx;
        for (int k = 0; k < 3; ++k) into[k * plane] = value[k];
      }
    } else {
      const float r = value[0] * 255.0F, g = value[1] * 255.0F, b = value[2] * 255.0F;
      const float* const m = jpeg.to_ycc;
      one.luma[i] = (m[0] * r + m[1] * g + m[2] * b) - 128.0F;
      for (int c = 0; c < 2; ++c) chroma[c][i] = m[3 + 3 * c] * r + m[4 + 3 * c] * g + m[5 + 3 * c] * b;
      __syncthreads();
      if (i < threads / 2) {  // means of 2 x 2 pixels
        const float* const from = chroma[i / 64] + i / 8 % 8 * 2 * kSide + i % 8 * 2;
        one.chroma[i] = ((from[0] + from[1]) + (from[kSide] + from[kSide + 1])) * 0.25F;
      }
      __syncthreads();
      transform(one, other, cosine, /*down=*/false, /*back=*/false);
      transform(other, one, cosine, /*down=*/true, /*back=*/false);
      const float step = jpeg.luma_steps[64 * saved + (ty & 7) * 8 + (tx & 7)];
      one.luma[i] = rintf(one.luma[i] * (1.0F / step)) * (step * static_cast<float>(1.0 / 255.0));
      if (i < threads / 2) {
        const float coarse = jpeg.chroma_steps[64 * saved + i % 64];
        one.chroma[i] = rintf(one.chroma[i] * (1.0F / coarse)) * (coarse * static_cast<float>(1.0 / 255.0));
      }
      __syncthreads();
      transform(one, other, cosine, /*down=*/true, /*back=*/true);
      transform(other, one, cosine, /*down=*/false, /*back=*/true);
      const std::int64_t area = static_cast<std::int64_t>(padded(picture.height)) * columns;
      jpeg.luma[saved * area + static_cast<std::int64_t>(top + ty) * columns + left + tx] = one.luma[i];
      if (i < threads / 2) {
        const std::int64_t half = area / 4;
        jpeg.chroma[(2 * static_cast<std::int64_t>(saved) + i / 64) * half +
                    static_cast<std::int64_t>(top / 2 + i / 8 % 8) * (columns / 2) + left / 2 + i % 8] =
            one.chroma[i];
      }
    }
    __syncthreads();  // before the next view overwrites what is read here
  }
}

// The second pass of views saved as JPEG: chroma at twice its width and height, and back to light.
// Macroblocks are x, places y.
template <int>
__global__ void open_jpeg(Picture picture, ViewJpeg jpeg, float* light) {  // [views,3,height,width]
  const std::int32_t columns = padded(picture.width), rows = padded(picture.height), macros = columns / kSide;
  const int i = static_cast<int>(threadIdx.x);
  const std::int32_t x = static_cast<std::int32_t>(blockIdx.x) % macros * kSide + i % kSide,
                     y = static_cast<std::int32_t>(blockIdx.x) / macros * kSide + i / kSide;
  if (x >= picture.width || y >= picture.height) return;
  const std::int64_t plane = static_cast<std::int64_t>(picture.height) * picture.width,
                     area = static_cast<std::int64_t>(rows) * columns;
  // 3/4 of the nearer sample, 1/4 of the farther, ends repeated.
  const std::int32_t near_x = x / 2, far_x = held(near_x + (x % 2 == 0 ? -1 : 1), columns / 2 - 1),
                     near_y = y / 2, far_y = held(near_y + (y % 2 == 0 ? -1 : 1), rows / 2 - 1);
  for (std::int32_t saved = static_cast<std::int32_t>(blockIdx.y); saved < jpeg.places;
       saved += static_cast<std::int32_t>(gridDim.y)) {
    float of[2];
    for (int c = 0; c < 2; ++c) {
      const float* const half = jpeg.chroma + (2 * static_cast<std::int64_t>(saved) + c) * (area / 4);
      const float* const here = half + static_cast<std::int64_t>(near_y) * (columns / 2);
      const float* const there = half + static_cast<std::int64_t>(far_y) * (columns / 2);
      of[c] = 0.75F * (0.75F * here[near_x] + 0.25F * there[near_x]) +
              0.25F * (0.75F * here[far_x] + 0.25F * there[far_x]);
    }
    const float bright = jpeg.luma[saved * area + static_cast<std::int64_t>(y) * columns + x] +
                         static_cast<float>(128.0 / 255.0);
    float* const into = light + 3 * static_cast<std::int64_t>(jpeg.views[saved]) * plane +
                        static_cast<std::int64_t>(y) * picture.width + x;
    for (int k = 0; k < 3; ++k)
      into[k * plane] =
          clipped(bright + jpeg.from_chroma[2 * k] * of[0] + jpeg.from_chroma[2 * k + 1] * of[1]);
  }
}

// Each view's own part of its tile, written with channels together or apart: a pixel a thread, its three
// channels.
template <int block>
__global__ void place_views(const float* light, Picture picture,
                            const float* maps,  // [views,6]
                            bool channels_last, float* result) {
  const std::int64_t plane = static_cast<std::int64_t>(picture.height) * picture.width,
                     pixels = plane * picture.views;
  const std::int64_t step = static_cast<std::int64_t>(gridDim.x) * block;
  for (std::int64_t at = static_cast<std::int64_t>(blockIdx.x) * block + threadIdx.x; at < pixels;
       at += step) {
    const std::int64_t view = at / plane;
    const auto inside = static_cast<std::int32_t>(at % plane);
    const std::int32_t y = inside / picture.width, x = inside % picture.width;
    const float* const map = maps + 6 * view;
    const float* const from = light + 3 * view * plane;
    const Move move = move_of(map, picture.height, picture.width);
    float value[3];
    if (move.exact) {
      const float* const source = from + move.first + static_cast<std::int64_t>(y) * move.down +
                                  static_cast<std::int64_t>(x) * move.right;
      for (int k = 0; k < 3; ++k) value[k] = source[k * plane];
    } else {
      const Neighbours near = neighbours_of(map, x, y, picture.height, picture.width);
      const std::int64_t here = static_cast<std::int64_t>(near.row) * picture.width + near.column,
                         below = here + near.below * static_cast<std::int64_t>(picture.width);
      for (int k = 0; k < 3; ++k) {
        const float* const source = from + k * plane;
        value[k] = between(source[here], source[here + near.right], source[below], source[below + near.right],
                           near.across, near.down);
      }
    }
    float* const into =
        result + 3 * view * plane + (channels_last ? 3 * static_cast<std::int64_t>(inside) : inside);
    for (int k = 0; k < 3; ++k) into[channels_last ? k : k * plane] = value[k];
  }
}

// The symmetry that a tile's views share, as apply_symmetry() has it. A pixel a thread.
template <int block>
__global__ void turn_tiles(const std::uint8_t* tiles, Picture picture,
                           const std::uint8_t* symmetry,  // [tiles]
                           std::uint8_t* result) {
  const std::int64_t plane = static_cast<std::int64_t>(picture.height) * picture.width,
                     pixels = plane * picture.tiles;
  const std::int64_t step = static_cast<std::int64_t>(gridDim.x) * block;
  for (std::int64_t at = static_cast<std::int64_t>(blockIdx.x) * block + threadIdx.x; at < pixels;
       at += step) {
    const std::int64_t tile = at / plane;
    const auto inside = static_cast<std::int32_t>(at % plane);
    const std::uint8_t kind = symmetry[tile];
    std::int32_t y = inside / picture.width, x = inside % picture.width;
    if ((kind & 4) != 0 && picture.height == picture.width) {
      const std::int32_t swapped = y;
      y = x;
      x = swapped;
    }
    if ((kind & 1) != 0) y = picture.height - 1 - y;
    if ((kind & 2) != 0) x = picture.width - 1 - x;
    const std::uint8_t* const from =
        tiles + 3 * (tile * plane + static_cast<std::int64_t>(y) * picture.width + x);
    for (int k = 0; k < 3; ++k) result[3 * at + k] = from[k];
  }
}

}  // namespace stainfold::view_kernels
