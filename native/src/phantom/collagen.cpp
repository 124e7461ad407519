#include "phantom/collagen.h"

#include <cmath>

namespace stainfold::phantom {

Collagen::Collagen(Key key, float mpp, float looseness)
    : looseness_(looseness),
      wave_(derive(key, 1), 42, 60, mpp),
      ripple_(derive(key, 2), 15, 24, mpp),
      bundle_(derive(key, 3), 55, 6.5F, mpp),
      fibre_(derive(key, 4), 24, 2.0F, mpp),
      fibril_(derive(key, 5), 10, 0.9F, mpp),
      cleft_(derive(key, 6), 34, 4.2F, mpp) {
  Random random(derive(key, 7));
  const float angle = random.angle();
  cosine_ = std::cos(angle);
  sine_ = std::sin(angle);
  amplitude_ = random.between(0.5F, 1.4F);
}

Point Collagen::along_fibre(Point p) const {
  const float along = cosine_ * p.x + sine_ * p.y, across = cosine_ * p.y - sine_ * p.x;
  return {along, across + amplitude_ * (11 * wave_(along, across) + 2.6F * ripple_(along, across))};
}

Stain Collagen::at(Point p) const {
  const Point f = along_fibre(p);
  const float bundle = bundle_(f), fibre = fibre_(f);
  const float threshold = mix(0.72F, 0.05F, looseness_);
  const float gap = smoothstep(threshold, threshold + 0.22F, cleft_(f) - 0.25F * bundle);
  const float density = 0.47F + 0.15F * bundle + 0.15F * fibre + 0.11F * fibril_(f);
  const float eosin = std::max(0.02F, density * (1 - 0.88F * gap));
  return {0.03F + 0.09F * eosin, eosin};
}

float Collagen::direction(Point p) const {
  // The fibre is a line of constant `across`, at right angles to its gradient.
  const float step = 1.0F;
  const float here = along_fibre(p).y;
  const float dx = along_fibre({p.x + step, p.y}).y - here, dy = along_fibre({p.x, p.y + step}).y - here;
  return std::atan2(-dx, dy);
}

}  // namespace stainfold::phantom
