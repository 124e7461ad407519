// What the stain kernels are given: raw pointers and sizes, by value.
#pragma once

#include <cmath>
#include <cstdint>

#include "stain/jpeg_tables.h"

namespace stainfold {

// Of a grey level: its density, or its linear light. The digits are the CPU's.
struct LevelTable {
  float value[256];
};

// The pixels of a tile that are looked at: every stride-th of every stride-th line.
struct PixelGrid {
  std::int32_t pixels;  // of a tile
  std::int32_t width, stride, across, points;
};

// Linear light to XYZ relative to white, and back.
struct ColourMatrices {
  float xyz_of_rgb[9], rgb_of_xyz[9];
};

struct Picture {
  std::int32_t tiles, views, height, width;  // view i shows tile i mod tiles
};

// Per view, as Curve has them.
struct ViewCurves {
  const float* slope;      // [views,9]
  const float* intercept;  // [views,3]
  const float* brightest;  // [views,3]
};

// Of the views whose place is not negative.
struct ViewFocus {
  const std::int32_t* place = nullptr;  // [views]; null: of none
  const float* profile = nullptr;       // [places,2 radius + 1]
  const float* weight = nullptr;        // [places]
  std::int32_t radius = 0;
};

struct ViewJpeg {
  const std::int32_t* place = nullptr;  // [views]; null: of none
  const std::int32_t* views = nullptr;  // [places], the other way round
  std::int32_t places = 0;
  const float* luma_steps = nullptr;    // [places,64], rows of frequency
  const float* chroma_steps = nullptr;  // [places,64]
  float* luma =
      nullptr;  // [places,rows,columns] between the passes, in units of 1/255; sides padded to macroblocks
  float* chroma = nullptr;  // [places,2,rows/2,columns/2]
  float cosine[64] = {};    // the DCT-II's orthogonal matrix, rows of frequency
  float to_ycc[9] = {}, from_chroma[6] = {};
};

constexpr std::int32_t kMacroblock = 16;  // pixels a side

inline void fill_constants(ViewJpeg& jpeg) {
  for (int u = 0; u < 8; ++u) {
    for (int x = 0; x < 8; ++x) {
      const double scale = u == 0 ? std::sqrt(0.125) : 0.5;
      jpeg.cosine[8 * u + x] =
          static_cast<float>(scale * std::cos((2 * x + 1) * u * 3.14159265358979323846 / 16));
    }
  }
  for (std::size_t i = 0; i < 9; ++i) jpeg.to_ycc[i] = kToYcc[i];
  for (std::size_t i = 0; i < 6; ++i) jpeg.from_chroma[i] = kFromChroma[i];
}

}  // namespace stainfold
