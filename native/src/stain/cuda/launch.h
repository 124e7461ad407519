// Launches of the stain kernels on a stream: raw pointers and sizes, no LibTorch. Each returns the first
// launch error; errors of execution surface at the stream's next synchronisation.
#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>

#include "stain/cuda/problems.h"

namespace stainfold::stain_kernels {

cudaError_t moments(const std::uint8_t* tiles, std::int32_t count, const PixelGrid& grid,
                    const LevelTable& density, double centre, double* counted, double* mean,
                    double* covariance, double* positive, cudaStream_t stream);

cudaError_t axes(const double* covariance, const double* mean, std::int32_t count, double* result,
                 cudaStream_t stream);

cudaError_t angles(const std::uint8_t* tiles, std::int32_t count, const PixelGrid& grid,
                   const LevelTable& density, const double* counted, const double* axes, double extreme,
                   double* low, double* high, cudaStream_t stream);

cudaError_t peaks(const std::uint8_t* tiles, std::int32_t count, std::int32_t pixels, std::int32_t stains,
                  const LevelTable& density, const float* maps, std::uint32_t rank, float* result,
                  cudaStream_t stream);

cudaError_t restain(const std::uint8_t* tiles, std::int32_t count, std::int32_t pixels,
                    const LevelTable& density, const float* maps, float glass, const bool* usable,
                    std::uint8_t* result, cudaStream_t stream);

cudaError_t lab_moments(const std::uint8_t* tiles, std::int32_t count, std::int32_t pixels,
                        const LevelTable& linear, const ColourMatrices& colours, double* result,
                        cudaStream_t stream);

cudaError_t recolour(const std::uint8_t* tiles, std::int32_t count, std::int32_t pixels,
                     const LevelTable& linear, const ColourMatrices& colours, const float* scale,
                     const float* shift, const bool* usable, std::uint8_t* result, cudaStream_t stream);

// The largest radius of focus that paint() has room for.
constexpr std::int32_t kMostRadius = 12;

cudaError_t turn(const std::uint8_t* tiles, const Picture& picture, const std::uint8_t* symmetry,
                 std::uint8_t* result, cudaStream_t stream);

cudaError_t paint(const std::uint8_t* tiles, const Picture& picture, const LevelTable& density,
                  const ViewCurves& curves, const ViewFocus& focus, const ViewJpeg& jpeg, float* light,
                  cudaStream_t stream);

cudaError_t place(const float* light, const Picture& picture, const float* maps, bool channels_last,
                  float* result, cudaStream_t stream);

}  // namespace stainfold::stain_kernels
