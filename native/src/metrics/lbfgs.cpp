#include "metrics/lbfgs.h"

#include <ATen/ATen.h>

#include <cmath>
#include <deque>
#include <limits>
#include <optional>
#include <string>

#include "core/interrupt.h"
#include "stainfold/error.h"

namespace stainfold::metrics {
namespace {

using Function = std::function<Evaluated(const at::Tensor&)>;

constexpr std::size_t memory = 20;  // pairs kept; Nocedal and Wright advise 3 to 20, and ours are small

double scalar_product(const at::Tensor& a, const at::Tensor& b) { return (a * b).sum().item<double>(); }

struct Pair {
  at::Tensor step, change;  // s = x' - x, y = g' - g
  double curvature;         // s.y > 0
};

// -H g by the two loops of Nocedal and Wright, algorithm 7.4.
at::Tensor descent_direction(const at::Tensor& gradient, const std::deque<Pair>& pairs) {
  at::Tensor direction = -gradient;
  std::deque<double> weights;
  for (auto pair = pairs.rbegin(); pair != pairs.rend(); ++pair) {
    weights.push_front(scalar_product(pair->step, direction) / pair->curvature);
    direction.sub_(pair->change, weights.front());
  }
  if (!pairs.empty())
    direction.mul_(pairs.back().curvature / scalar_product(pairs.back().change, pairs.back().change));
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    const double correction = scalar_product(pairs[i].change, direction) / pairs[i].curvature;
    direction.add_(pairs[i].step, weights[i] - correction);
  }
  return direction;
}

struct Step {
  at::Tensor point;
  Evaluated at;
};

// A point that meets the weak Wolfe conditions, by bisection (Lewis and Overton 2013): they keep s.y > 0.
std::optional<Step> line_search(const Function& function, const at::Tensor& point, const Evaluated& here,
                                const at::Tensor& direction, double first) {
  const double slope = scalar_product(here.gradient, direction);
  // Near the minimum the decrease drowns in rounding of the value; the slope still tells where it is.
  const double rounding = 4 * std::numeric_limits<double>::epsilon() * std::abs(here.value);
  double low = 0, high = std::numeric_limits<double>::infinity(), length = first;
  for (int trial = 0; trial < 60; ++trial) {
    Step step{point + direction * length, {}};
    step.at = function(step.point);
    if (!(step.at.value <= here.value + 1e-4 * length * slope + rounding)) {
      high = length;
    } else if (scalar_product(step.at.gradient, direction) < 0.9 * slope) {
      low = length;
    } else {
      return step;
    }
    length = std::isinf(high) ? 2 * low : (low + high) / 2;
  }
  return std::nullopt;
}

}  // namespace

at::Tensor lbfgs(const Function& function, at::Tensor start, double tolerance, int iterations) {
  at::Tensor point = std::move(start);
  Evaluated here = function(point);
  std::deque<Pair> pairs;
  for (int iteration = 0; iteration < iterations; ++iteration) {
    check_interrupt();
    const double steepest = here.gradient.abs().max().item<double>();
    if (steepest <= tolerance) return point;
    const at::Tensor direction = descent_direction(here.gradient, pairs);
    const double first = pairs.empty() ? 1 / std::max(1.0, here.gradient.norm().item<double>()) : 1.0;
    std::optional<Step> step = line_search(function, point, here, direction, first);
    if (!step) {
      if (pairs.empty()) return point;  // not even along the gradient: float64 has no lower value
      pairs.clear();
      continue;
    }
    Pair pair{step->point - point, step->at.gradient - here.gradient, 0};
    pair.curvature = scalar_product(pair.step, pair.change);
    if (pair.curvature > 0) pairs.push_back(std::move(pair));
    if (pairs.size() > memory) pairs.pop_front();
    point = std::move(step->point);
    here = std::move(step->at);
  }
  throw Error(ErrorCode::internal, "L-BFGS did not converge in " + std::to_string(iterations) +
                                       " iterations: the penalty may be too small for this data");
}

}  // namespace stainfold::metrics
