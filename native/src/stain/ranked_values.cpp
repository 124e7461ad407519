#include "stain/ranked_values.h"

#include <algorithm>
#include <limits>

namespace stainfold {

void RankedValues::clear() {
  held_ = size_ = 0;
  std::fill(counts_.begin(), counts_.end(), 0U);
}

float* RankedValues::room(std::int64_t count) {
  const auto needed = static_cast<std::size_t>(held_ + count);
  if (values_.size() < needed) {
    values_.resize(needed);
    bins_.resize(needed);
  }
  return values_.data() + held_;
}

void RankedValues::place(std::int64_t count) {
  std::uint16_t* const bins = bins_.data() + held_;
  place_in_bins(values_.data() + held_, count, low_, scale_, bins);
  const std::uint32_t left_out = counts_[kBins];
  for (std::int64_t i = 0; i < count; ++i) ++counts_[bins[i]];
  held_ += count;
  size_ += count - static_cast<std::int64_t>(counts_[kBins] - left_out);
}

float RankedValues::at(std::int64_t rank) {
  if (size_ == 0) return std::numeric_limits<float>::quiet_NaN();
  std::int64_t within = std::clamp<std::int64_t>(rank, 0, size_ - 1);
  std::uint16_t bin = 0;
  while (within >= static_cast<std::int64_t>(counts_[bin])) within -= counts_[bin++];
  found_.resize(counts_[bin]);
  values_in_bin(values_.data(), bins_.data(), held_, bin, found_.data());
  std::nth_element(found_.begin(), found_.begin() + within, found_.end());
  return found_[static_cast<std::size_t>(within)];
}

}  // namespace stainfold
