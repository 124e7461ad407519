#include "stain/virtual_lab.h"

#include <ATen/ATen.h>

#include <cmath>
#include <sstream>

#include "core/checks.h"

namespace stainfold {
namespace {

constexpr double kCutOff = 2.0;  // standard deviations

// Share of a variance that is common to the members of a group. Real sites move both stain vectors the same
// way (another dye lot, another colour profile), and scanners are white-balanced: their channels brighten
// together.
constexpr double kCommonRotation = 0.6;
constexpr double kCommonGain = 0.8;

void check_range(const char* name, double value, double least, double most) {
  std::ostringstream text;
  text << "manifold." << name << " must be between " << least << " and " << most << ", got " << value;
  check_option(value >= least && value <= most, text.str());
}

// [n,members] standard normal numbers of which any two correlate by `common`.
at::Tensor correlated(const at::Tensor& shared,  // [n,1] standard normal
                      const at::Tensor& own,     // [n,members] standard normal
                      double common) {
  return own * std::sqrt(1 - common) + shared * std::sqrt(common);
}

}  // namespace

void check(const ManifoldOptions& options) {
  check_range("labs", static_cast<double>(options.labs), 1, 4096);
  check_range("concentration", options.concentration, 0, 4);
  check_range("background", options.background, 0, 1);
  check_range("rotation", options.rotation, 0, 90);
  check_range("gain", options.gain, 0, 2);
  check_range("gamma", options.gamma, 0, 2);
  check_range("blur", options.blur, 0, 8);
  check_range("jpeg_quality_min", static_cast<double>(options.jpeg_quality_min), 1, 100);
  check_range("jitter", options.jitter, 0, 4);
}

at::Tensor draw_labs(const ManifoldOptions& options, std::int64_t count, at::Generator generator) {
  const at::Tensor own = at::randn({count, lab::kColumns}, generator, at::kFloat);
  const at::Tensor shared = at::randn({count, 4}, generator, at::kFloat);  // 3 of rotation, 1 of gain
  const at::Tensor axes = shared.slice(1, 0, 3).repeat({1, 2});            // the same for both stains

  const double radians = options.rotation * M_PI / 180.0;
  const auto columns = [&](std::int64_t first, std::int64_t length) { return own.narrow(1, first, length); };
  const at::Tensor deviates = at::cat(
      {columns(lab::kLogScale, 2) * options.concentration, columns(lab::kBackground, 2) * options.background,
       correlated(axes, columns(lab::kRotation, 6), kCommonRotation) * radians,
       correlated(shared.slice(1, 3, 4), columns(lab::kLogGain, 3), kCommonGain) * options.gain,
       columns(lab::kLogGamma, 1) * options.gamma},
      1);
  const at::Tensor limit =
      kCutOff * at::tensor({options.concentration, options.concentration, options.background,
                            options.background, radians, radians, radians, radians, radians, radians,
                            options.gain, options.gain, options.gain, options.gamma},
                           at::kFloat);
  return at::clamp(deviates, -limit, limit);
}

}  // namespace stainfold
