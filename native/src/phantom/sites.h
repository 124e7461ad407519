// Places of cells: a jittered hexagonal grid over the endless plane. A site is a function of its grid index
// alone, so a tile is a window: a larger one shows the same tissue and more of it.
#pragma once

#include <cmath>
#include <cstdint>

#include "phantom/noise.h"

namespace stainfold::phantom {

struct Site {
  Point at;
  Key key;
};

class Grid {
 public:
  // jitter: 0 keeps to the grid, 1 moves up to half a spacing.
  Grid(Key key, float spacing, float jitter)
      : key_(key),
        spacing_(spacing),
        jitter_(jitter),
        origin_{spacing * unit(derive(key, -1)), spacing * unit(derive(key, -2))} {}

  Site site(std::int32_t column, std::int32_t row) const {
    const Key key = derive(key_, column, row);
    Random random(key);  // of the place; what stands there draws from ~key
    const float shift = row & 1 ? 0.75F : 0.25F;
    return {
        {origin_.x + (static_cast<float>(column) + shift + jitter_ * (random.uniform() - 0.5F)) * spacing_,
         origin_.y + (static_cast<float>(row) + 0.5F + jitter_ * (random.uniform() - 0.5F)) * row_height()},
        ~key};
  }

  // Every site whose cell touches the rectangle.
  template <class Visit>
  void within(Point low, Point high, const Visit& visit) const {
    const auto first_row = floor_index((low.y - origin_.y) / row_height()) - 1,
               last_row = floor_index((high.y - origin_.y) / row_height()) + 1;
    const auto first = floor_index((low.x - origin_.x) / spacing_) - 1,
               last = floor_index((high.x - origin_.x) / spacing_) + 1;
    for (std::int32_t row = first_row; row <= last_row; ++row) {
      for (std::int32_t column = first; column <= last; ++column) visit(site(column, row));
    }
  }

 private:
  float row_height() const { return 0.8660254F * spacing_; }

  Key key_;
  float spacing_, jitter_;
  Point origin_;
};

}  // namespace stainfold::phantom
