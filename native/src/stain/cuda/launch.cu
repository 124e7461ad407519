#include "stain/cuda/launch.h"

#include <algorithm>

#include "stain/cuda/tile_kernels.cuh"
#include "stain/cuda/view_kernels.cuh"

namespace stainfold::stain_kernels {
namespace {

constexpr int threads = 256;
constexpr std::int32_t most_rows = 65535;  // of a grid

// Where pixels are written: enough blocks to fill the largest devices a few times over, each thread then
// takes several.
unsigned blocks_for(std::int64_t items, std::int64_t most = 8192) {
  return static_cast<unsigned>(std::min((items + threads - 1) / threads, most));
}

// Tiles in grids that are no larger than allowed.
template <typename Launch>
cudaError_t in_rows(std::int32_t count, Launch launch) {
  for (std::int32_t first = 0; first < count; first += most_rows) {
    launch(first, static_cast<unsigned>(std::min(most_rows, count - first)));
    if (const cudaError_t error = cudaGetLastError(); error != cudaSuccess) return error;
  }
  return cudaSuccess;
}

bool in_words(const std::uint8_t* from, const std::uint8_t* to, std::int32_t pixels) {
  return pixels % 4 == 0 &&
         (reinterpret_cast<std::uintptr_t>(from) | reinterpret_cast<std::uintptr_t>(to)) % 4 == 0;
}

template <typename Change>
cudaError_t rewrite(const std::uint8_t* tiles, std::int32_t count, std::int32_t pixels,
                    const LevelTable& table, Change change, Change (*from)(Change, std::int64_t),
                    const bool* usable, std::uint8_t* result, cudaStream_t stream) {
  const bool words = in_words(tiles, result, pixels);
  return in_rows(count, [&](std::int32_t first, unsigned rows) {
    const std::int64_t start = static_cast<std::int64_t>(first) * pixels * 3;
    tile_kernels::rewrite_tiles<threads>
        <<<dim3(blocks_for((pixels + 3) / 4, 64), rows), threads, 0, stream>>>(
            tiles + start, pixels, words, table, from(change, first), usable + first, result + start);
  });
}

}  // namespace

cudaError_t moments(const std::uint8_t* tiles, std::int32_t count, const PixelGrid& grid,
                    const LevelTable& density, double centre, double* counted, double* mean,
                    double* covariance, double* positive, cudaStream_t stream) {
  if (count == 0) return cudaSuccess;
  tile_kernels::tile_moments<threads><<<static_cast<unsigned>(count), threads, 0, stream>>>(
      tiles, grid, density, centre, counted, mean, covariance, positive);
  return cudaGetLastError();
}

cudaError_t axes(const double* covariance, const double* mean, std::int32_t count, double* result,
                 cudaStream_t stream) {
  if (count == 0) return cudaSuccess;
  constexpr int few = 64;
  tile_kernels::tile_axes<few>
      <<<static_cast<unsigned>((count + few - 1) / few), few, 0, stream>>>(covariance, mean, count, result);
  return cudaGetLastError();
}

cudaError_t angles(const std::uint8_t* tiles, std::int32_t count, const PixelGrid& grid,
                   const LevelTable& density, const double* counted, const double* axes, double extreme,
                   double* low, double* high, cudaStream_t stream) {
  if (count == 0) return cudaSuccess;
  tile_kernels::tile_angles<threads><<<static_cast<unsigned>(count), threads, 0, stream>>>(
      tiles, grid, density, counted, axes, extreme, low, high);
  return cudaGetLastError();
}

cudaError_t peaks(const std::uint8_t* tiles, std::int32_t count, std::int32_t pixels, std::int32_t stains,
                  const LevelTable& density, const float* maps, std::uint32_t rank, float* result,
                  cudaStream_t stream) {
  if (count == 0 || stains == 0) return cudaSuccess;
  constexpr int many = 512;  // a block reads a whole tile, three times
  const dim3 blocks(static_cast<unsigned>(count), static_cast<unsigned>(stains));
  tile_kernels::tile_peaks<many><<<blocks, many, 0, stream>>>(tiles, pixels, density, maps, rank, result);
  return cudaGetLastError();
}

cudaError_t restain(const std::uint8_t* tiles, std::int32_t count, std::int32_t pixels,
                    const LevelTable& density, const float* maps, float glass, const bool* usable,
                    std::uint8_t* result, cudaStream_t stream) {
  return rewrite<tile_kernels::Restain>(
      tiles, count, pixels, density, {maps, glass},
      [](tile_kernels::Restain change, std::int64_t first) {
        change.maps += 9 * first;
        return change;
      },
      usable, result, stream);
}

cudaError_t lab_moments(const std::uint8_t* tiles, std::int32_t count, std::int32_t pixels,
                        const LevelTable& linear, const ColourMatrices& colours, double* result,
                        cudaStream_t stream) {
  if (count == 0) return cudaSuccess;
  constexpr int many = 512;
  tile_kernels::tile_lab_moments<many>
      <<<static_cast<unsigned>(count), many, 0, stream>>>(tiles, pixels, linear, colours, result);
  return cudaGetLastError();
}

cudaError_t recolour(const std::uint8_t* tiles, std::int32_t count, std::int32_t pixels,
                     const LevelTable& linear, const ColourMatrices& colours, const float* scale,
                     const float* shift, const bool* usable, std::uint8_t* result, cudaStream_t stream) {
  return rewrite<tile_kernels::Recolour>(
      tiles, count, pixels, linear, {scale, shift, colours},
      [](tile_kernels::Recolour change, std::int64_t first) {
        change.scale += 3 * first;
        change.shift += 3 * first;
        return change;
      },
      usable, result, stream);
}

cudaError_t turn(const std::uint8_t* tiles, const Picture& picture, const std::uint8_t* symmetry,
                 std::uint8_t* result, cudaStream_t stream) {
  const std::int64_t pixels = static_cast<std::int64_t>(picture.tiles) * picture.height * picture.width;
  if (pixels == 0) return cudaSuccess;
  view_kernels::turn_tiles<threads>
      <<<blocks_for(pixels), threads, 0, stream>>>(tiles, picture, symmetry, result);
  return cudaGetLastError();
}

cudaError_t paint(const std::uint8_t* tiles, const Picture& picture, const LevelTable& density,
                  const ViewCurves& curves, const ViewFocus& focus, const ViewJpeg& jpeg, float* light,
                  cudaStream_t stream) {
  const auto macros = [](std::int32_t side) {
    return static_cast<unsigned>((side + kMacroblock - 1) / kMacroblock);
  };
  const unsigned blocks = macros(picture.height) * macros(picture.width);
  if (blocks == 0 || picture.views == 0) return cudaSuccess;
  const dim3 grid(blocks, static_cast<unsigned>(std::min(picture.views, most_rows)));
  constexpr int own = view_kernels::threads;
  if (focus.radius > kMostRadius) return cudaErrorInvalidValue;
  if (focus.radius <= 2) {
    view_kernels::paint_views<2>
        <<<grid, own, 0, stream>>>(tiles, picture, density, curves, focus, jpeg, light);
  } else {
    view_kernels::paint_views<kMostRadius>
        <<<grid, own, 0, stream>>>(tiles, picture, density, curves, focus, jpeg, light);
  }
  if (const cudaError_t error = cudaGetLastError(); error != cudaSuccess || jpeg.places == 0) return error;
  const dim3 saved(blocks, static_cast<unsigned>(std::min(jpeg.places, most_rows)));
  view_kernels::open_jpeg<own><<<saved, own, 0, stream>>>(picture, jpeg, light);
  return cudaGetLastError();
}

cudaError_t place(const float* light, const Picture& picture, const float* maps, bool channels_last,
                  float* result, cudaStream_t stream) {
  const std::int64_t pixels = static_cast<std::int64_t>(picture.views) * picture.height * picture.width;
  if (pixels == 0) return cudaSuccess;
  view_kernels::place_views<threads>
      <<<blocks_for(pixels), threads, 0, stream>>>(light, picture, maps, channels_last, result);
  return cudaGetLastError();
}

}  // namespace stainfold::stain_kernels
