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

// Between the sites of AMi-Br, GlaS and PoliTo the vectors move mostly between green and blue, which is about
// the red axis: from orange eosin to magenta. Turned as far about the others, tissue goes green.
constexpr double kOffRedAxis = 0.45;

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

  const double red = options.rotation * M_PI / 180.0, other = red * kOffRedAxis;
  const at::Tensor spread =
      at::tensor({options.concentration, options.concentration, options.background, options.background,  //
                  red, other, other, red, other, other,                                                  //
                  options.gain, options.gain, options.gain, options.gamma},
                 at::kFloat);
  const at::Tensor deviates =
      at::cat({own.narrow(1, lab::kLogScale, 4),  // scale and background
               correlated(axes, own.narrow(1, lab::kRotation, 6), kCommonRotation),
               correlated(shared.slice(1, 3, 4), own.narrow(1, lab::kLogGain, 3), kCommonGain),
               own.narrow(1, lab::kLogGamma, 1)},
              1);
  return deviates.clamp_(-kCutOff, kCutOff).mul_(spread);
}

}  // namespace stainfold
