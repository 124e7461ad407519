#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "core/checks.h"
#include "stainfold/slide.h"

namespace stainfold {
namespace {

struct Point {
  double x, y;
};

// Beyond it, a difference of two coordinates might overflow; no mask has so many pixels.
constexpr double kFarthest = 1e15;

// Where the edge meets the middle of each row that it crosses. An edge owns its upper end and not its lower.
void cross_rows(Point a, Point b, std::int64_t height, std::vector<std::vector<double>>& crossings) {
  if (a.y > b.y) std::swap(a, b);
  const auto first =
      static_cast<std::int64_t>(std::clamp(std::ceil(a.y - 0.5), 0.0, static_cast<double>(height)));
  const auto end =
      static_cast<std::int64_t>(std::clamp(std::ceil(b.y - 0.5), 0.0, static_cast<double>(height)));
  for (std::int64_t row = first; row < end; ++row) {
    const double along = (static_cast<double>(row) + 0.5 - a.y) / (b.y - a.y);
    crossings[row].push_back(a.x + along * (b.x - a.x));
  }
}

// Pixels whose centres lie between the first crossing and the second, the third and the fourth, ...
void fill_rows(std::vector<std::vector<double>>& crossings, std::int64_t width, std::uint8_t* mask) {
  for (std::size_t row = 0; row < crossings.size(); ++row) {
    std::vector<double>& at = crossings[row];
    std::ranges::sort(at);
    for (std::size_t i = 0; i + 1 < at.size(); i += 2) {
      const double limit = static_cast<double>(width);
      const auto from = static_cast<std::int64_t>(std::clamp(std::ceil(at[i] - 0.5), 0.0, limit));
      const auto to = static_cast<std::int64_t>(std::clamp(std::ceil(at[i + 1] - 0.5), 0.0, limit));
      std::uint8_t* const line = mask + static_cast<std::int64_t>(row) * width;
      if (from < to) std::fill(line + from, line + to, std::uint8_t{1});
    }
    at.clear();
  }
}

// Sums of the mask over all pixels above and left of each corner, [height+1,width+1].
class Sums {
 public:
  explicit Sums(const at::Tensor& mask) : height_(mask.size(0)), width_(mask.size(1)) {
    sums_.assign(static_cast<std::size_t>((height_ + 1) * (width_ + 1)), 0);
    const auto* from = mask.const_data_ptr<std::uint8_t>();
    for (std::int64_t y = 0; y < height_; ++y) {
      std::uint32_t line = 0;
      for (std::int64_t x = 0; x < width_; ++x) {
        line += from[y * width_ + x];
        sums_[(y + 1) * (width_ + 1) + x + 1] = sums_[y * (width_ + 1) + x + 1] + line;
      }
    }
  }

  // The mask's integral over everything above and left of a point: bilinear between corners, exactly.
  double until(double x, double y) const {
    x = std::clamp(x, 0.0, static_cast<double>(width_));
    y = std::clamp(y, 0.0, static_cast<double>(height_));
    const auto left = std::min(static_cast<std::int64_t>(x), width_ - 1);
    const auto top = std::min(static_cast<std::int64_t>(y), height_ - 1);
    const double across = x - static_cast<double>(left), down = y - static_cast<double>(top);
    const std::uint32_t* upper = sums_.data() + top * (width_ + 1) + left;
    const std::uint32_t* lower = upper + width_ + 1;
    return (1 - down) * ((1 - across) * upper[0] + across * upper[1]) +
           down * ((1 - across) * lower[0] + across * lower[1]);
  }

 private:
  std::int64_t height_, width_;
  std::vector<std::uint32_t> sums_;  // of a mask of up to 2^32 pixels
};

}  // namespace

at::Tensor fill_polygons(const at::Tensor& points, const at::Tensor& ring_starts,
                         const at::Tensor& ring_polygons, std::int64_t height, std::int64_t width) {
  check_shape(points, "points", {-1, 2});
  check_dtype(points, "points", {at::kDouble});
  check_shape(ring_polygons, "ring_polygons", {ring_starts.size(0)});
  check_option(height >= 1 && width >= 1, "a mask must have pixels");
  check_option(points.abs().le(kFarthest).all().item<bool>(),
               "points must be finite, and within 1e15 pixels");
  const at::Tensor place = points.contiguous();
  const at::Tensor starts = ring_starts.to(at::kLong).contiguous(),
                   polygons = ring_polygons.to(at::kLong).contiguous();
  const auto* at = reinterpret_cast<const Point*>(place.const_data_ptr<double>());
  const auto* start = starts.const_data_ptr<std::int64_t>();
  const auto* polygon = polygons.const_data_ptr<std::int64_t>();
  const at::Tensor mask = at::zeros({height, width}, at::kByte);
  std::vector<std::vector<double>> crossings(static_cast<std::size_t>(height));
  for (std::int64_t ring = 0; ring < starts.size(0); ++ring) {
    const std::int64_t end = ring + 1 < starts.size(0) ? start[ring + 1] : place.size(0);
    check_option(start[ring] >= 0 && start[ring] <= end && end <= place.size(0), "ring_starts must ascend");
    for (std::int64_t i = start[ring]; i < end; ++i) {
      cross_rows(at[i], at[i + 1 < end ? i + 1 : start[ring]], height, crossings);
    }
    const bool last_of_polygon = ring + 1 == starts.size(0) || polygon[ring + 1] != polygon[ring];
    if (last_of_polygon) fill_rows(crossings, width, mask.mutable_data_ptr<std::uint8_t>());
  }
  return mask;
}

at::Tensor box_shares(const at::Tensor& mask, const at::Tensor& boxes) {
  check_shape(mask, "mask", {-1, -1});
  check_dtype(mask, "mask", {at::kByte});
  check_option(mask.numel() > 0, "a mask must have pixels");
  check_shape(boxes, "boxes", {-1, 4});
  check_dtype(boxes, "boxes", {at::kDouble});
  check_option(at::isfinite(boxes).all().item<bool>(), "boxes must be finite");
  const Sums sums(mask.contiguous());
  const at::Tensor from = boxes.contiguous();
  const at::Tensor shares = at::empty({from.size(0)}, at::kFloat);
  const auto* box = from.const_data_ptr<double>();
  auto* share = shares.mutable_data_ptr<float>();
  for (std::int64_t i = 0; i < from.size(0); ++i, box += 4) {
    const double left = box[0], top = box[1], right = left + box[2], bottom = top + box[3];
    const double inside =
        sums.until(right, bottom) - sums.until(left, bottom) - sums.until(right, top) + sums.until(left, top);
    share[i] = static_cast<float>(std::clamp(inside / (box[2] * box[3]), 0.0, 1.0));
  }
  return shares;
}

}  // namespace stainfold
