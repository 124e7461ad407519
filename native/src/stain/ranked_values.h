// The value of a given rank among many, exactly and without sorting: a histogram finds the bin that holds it,
// and the few values of that bin are sorted out.
#pragma once

#include <cstdint>
#include <vector>

#include "stain/simd/density_loops.h"

namespace stainfold {

// Fill with room(), place(), then ask. The storage serves the next filling.
class RankedValues {
 public:
  // Values are expected in [low,high]; those outside are found as well, only not as fast.
  RankedValues(float low, float high) : low_(low), scale_(static_cast<float>(kBins) / (high - low)) {}

  void clear();
  float* room(std::int64_t count);  // where `count` more values go
  void place(std::int64_t count);   // which are there now; NaN are left out

  std::int64_t size() const { return size_; }  // without NaN
  // rank 0 is the least. NaN where there is no value; ranks beyond the ends are the ends'.
  float at(std::int64_t rank);

 private:
  float low_, scale_;
  std::int64_t held_ = 0, size_ = 0;
  std::vector<float> values_, found_;
  std::vector<std::uint16_t> bins_;
  std::vector<std::uint32_t> counts_ = std::vector<std::uint32_t>(kBins + 1);
};

}  // namespace stainfold
