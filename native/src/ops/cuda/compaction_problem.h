// What every compaction kernel works on, in device memory.
#pragma once

#include <cstdint>

namespace stainfold::compaction {

template <typename T>
struct DeviceProblem {
  const T* zn;                // [rows,dim] normalised rows
  const T* inverse_norm;      // [rows], 0 for a zero row
  const std::int64_t* group;  // [tiles] or null
  std::int32_t rows, dim, tiles;
  T inverse_temperature;
};

// A matrix of numbers in two float16 each, high and low: [rows,blocks,2,32], of 32 columns the high halves
// and then the low ones, so that what a product reads at a time is one line of 128 bytes. Rows and columns
// are padded with zeros to whole tiles.
struct SplitMatrix {
  const std::uint16_t* data;
  std::int32_t blocks;  // of 32 columns, in a row
};

// The same problem for the tensor cores.
struct SplitProblem {
  SplitMatrix zn;             // [padded rows,dim] 4096 zn
  const float* inverse_norm;  // [padded rows], 0 for a zero row and for padding
  const std::int64_t* group;  // [tiles] or null
  std::int32_t rows, dim, tiles;
  float inverse_temperature;
};

}  // namespace stainfold::compaction
