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

}  // namespace stainfold::compaction
