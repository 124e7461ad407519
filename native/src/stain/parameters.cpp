#include "stain/parameters.h"

#include <ATen/ATen.h>

#include <cmath>
#include <string>

#include "stain/bounds.h"

namespace stainfold {
namespace {

using namespace transform;

constexpr double kCutOff = 2.0;  // standard deviations

// Share of a variance that is common to the members of a group. Real sites move both stain vectors the same
// way (another dye lot, another colour profile), and scanners are white-balanced: their channels brighten
// together.
constexpr double kCommonRotation = 0.6;

// Between the sites of AMi-Br, GlaS and PoliTo the vectors move mostly between green and blue, which is about
// the red axis: from orange eosin to magenta. Turned as far about the others, tissue goes green.
constexpr double kOffRedAxis = 0.45;

// The scale of concentrations is e^x: a uniform one must stay away from 0.
constexpr double kLeastScale = 0.05;

// [n,members] standard normal numbers of which any two correlate by `common`.
at::Tensor correlated(const at::Tensor& shared,  // [n,1 or members] standard normal
                      const at::Tensor& own,     // [n,members] standard normal
                      double common) {
  return own * std::sqrt(1 - common) + shared * std::sqrt(common);
}

at::Tensor cut(const at::Tensor& deviates) { return deviates.clamp(-kCutOff, kCutOff); }

// Standard normal to uniform in (-1,1): twice the normal's distribution function, less one.
at::Tensor to_uniform(const at::Tensor& deviates) { return at::erf(deviates * M_SQRT1_2); }

at::Tensor row_of(std::initializer_list<double> values) {
  at::Tensor numbers = at::empty({static_cast<std::int64_t>(values.size())}, at::kFloat);
  float* into = numbers.data_ptr<float>();
  for (const double value : values) *into++ = static_cast<float>(value);
  return numbers;
}

at::Tensor row_of(const std::array<double, 3>& v) { return row_of({v[0], v[1], v[2]}); }

struct CountColumns {
  Columns operator()(const Stain&) const { return {10, 3}; }
  Columns operator()(const Hed&) const { return {6, 0}; }
  Columns operator()(const Gain&) const { return {3, 1}; }
  Columns operator()(const Gamma&) const { return {1, 0}; }
  Columns operator()(const Background&) const { return {3, 1}; }
  Columns operator()(const Window&) const { return {6, 2}; }
  Columns operator()(const BiasField&) const { return {15, 5}; }
  Columns operator()(const Noise&) const { return {1, 0}; }
  Columns operator()(const LabTemplate&) const { return {6, 0}; }
  Columns operator()(const Blur&) const { return {0, 0}; }
  Columns operator()(const Jpeg&) const { return {0, 0}; }
};

struct ParametersFrom {
  const at::Tensor& own;
  const at::Tensor& shared;

  // ln(a) 2, b 2, turn 2 x 3
  at::Tensor operator()(const Stain& t) const {
    const double red = t.rotation * M_PI / 180.0, other = red * kOffRedAxis;
    const at::Tensor turn =
        cut(correlated(shared.repeat({1, 2}), own.narrow(1, 4, 6), kCommonRotation)) *  // both stains' axes
        row_of({red, other, other, red, other, other});
    const at::Tensor amount = row_of({t.concentration, t.concentration, t.background, t.background});
    if (!t.uniform) return at::cat({cut(own.narrow(1, 0, 4)) * amount, turn}, 1);
    at::Tensor drawn = to_uniform(own.narrow(1, 0, 4)) * amount;
    drawn.narrow(1, 0, 2).add_(1).clamp_min_(kLeastScale).log_();
    return at::cat({drawn, turn}, 1);
  }
  // a - 1 for three stains, b for three
  at::Tensor operator()(const Hed& t) const {
    return to_uniform(own) * row_of({t.scale, t.scale, t.scale, t.offset, t.offset, t.offset});
  }
  at::Tensor operator()(const Gain& t) const { return cut(correlated(shared, own, t.common)) * t.spread; }
  at::Tensor operator()(const Gamma& t) const { return cut(own) * t.spread; }
  at::Tensor operator()(const Background& t) const {
    return cut(correlated(shared, own, t.common)) * t.spread;
  }
  // l 3, ln(h) 3
  at::Tensor operator()(const Window& t) const {
    const at::Tensor both = shared.repeat_interleave(3, 1);
    return cut(correlated(both, own, t.common)) * row_of({t.low, t.low, t.low, t.high, t.high, t.high});
  }
  // 3 channels x 5 coefficients
  at::Tensor operator()(const BiasField& t) const {
    return cut(correlated(shared.repeat({1, 3}), own, t.common)) * t.spread;
  }
  at::Tensor operator()(const Noise& t) const { return cut(own) * t.spread; }
  // mean 3, deviation 3
  at::Tensor operator()(const LabTemplate& t) const {
    const at::Tensor spread = at::cat({row_of(t.mean_spread), row_of(t.deviation_spread)});
    return at::cat({row_of(t.mean), row_of(t.deviation)}) + cut(own) * spread;
  }
  at::Tensor operator()(const Blur&) const { return own; }
  at::Tensor operator()(const Jpeg&) const { return own; }
};

struct CheckRanges {
  std::string path;

  void range(const char* name, double value, double least, double most) const {
    check_range(path + name, value, least, most);
  }
  void share(const char* name, double value) const { range(name, value, 0, 1); }

  void operator()(const Stain& t) const {
    for (int stain = 0; stain < 2; ++stain) {
      double length = 0;
      for (int k = 0; k < 3; ++k) {
        const double value = t.reference[static_cast<std::size_t>(3 * stain + k)];
        range("vectors", value, 0, 100);
        length += value;
      }
      check_option(length > 1e-3, "manifold." + path + "vectors must not be black, got 0, 0, 0");
    }
    const auto& v = t.reference;
    const double cross = std::abs(v[0] * v[4] - v[1] * v[3]) + std::abs(v[1] * v[5] - v[2] * v[4]) +
                         std::abs(v[2] * v[3] - v[0] * v[5]);
    const double size = (v[0] + v[1] + v[2]) * (v[3] + v[4] + v[5]);
    check_option(cross > 0.02 * size,
                 "manifold." + path + "vectors must be two colours, got nearly the same twice");
    range("tolerance", t.tolerance, 0, 180);
    range("concentration", t.concentration, 0, 4);
    range("background", t.background, 0, 1);
    range("rotation", t.rotation, 0, 90);
  }
  void operator()(const Hed& t) const {
    range("scale", t.scale, 0, 1);
    range("offset", t.offset, 0, 1);
  }
  void operator()(const Gain& t) const {
    range("spread", t.spread, 0, 2);
    share("common", t.common);
  }
  void operator()(const Gamma& t) const { range("spread", t.spread, 0, 2); }
  void operator()(const Background& t) const {
    range("spread", t.spread, 0, 1);
    share("common", t.common);
  }
  void operator()(const Window& t) const {
    range("low", t.low, 0, 0.2);
    range("high", t.high, 0, 0.3);
    share("common", t.common);
  }
  void operator()(const BiasField& t) const {
    range("spread", t.spread, 0, 1);
    share("common", t.common);
  }
  void operator()(const Noise& t) const {
    range("spread", t.spread, 0, 1);
    share("shot", t.shot);
    share("common", t.common);
  }
  void operator()(const LabTemplate& t) const {
    for (std::size_t k = 0; k < 3; ++k) {
      range("mean", t.mean[k], k == 0 ? 0 : -128, 128);
      range("meanSpread", t.mean_spread[k], 0, 100);
      range("deviation", t.deviation[k], 0, 100);
      range("deviationSpread", t.deviation_spread[k], 0, 100);
    }
  }
  void operator()(const Blur& t) const {
    range("sigma", t.sigma, 0, 8);
    share("share", t.share);
  }
  void operator()(const Jpeg& t) const {
    range("qualityMin", static_cast<double>(t.quality_min), 1, 100);
    share("share", t.share);
  }
};

}  // namespace

Columns columns_of(const Transform& transform) { return std::visit(CountColumns{}, transform); }

void check(const Transform& transform, std::size_t index) {
  std::visit(CheckRanges{"transforms[" + std::to_string(index) + "]."}, transform);
}

at::Tensor parameters_of(const Transform& transform, const at::Tensor& own, const at::Tensor& shared) {
  return std::visit(ParametersFrom{own, shared}, transform);
}

}  // namespace stainfold
