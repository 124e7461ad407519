#include <limits>
#include <map>
#include <vector>

#include "clouds.h"
#include "metrics/distances.h"
#include "stainfold/metrics.h"
#include "testing.h"

using namespace stainfold;
using stainfold::testing::code_of;
using stainfold::testing::golden_cloud;
using stainfold::testing::golden_labels;
using stainfold::testing::largest_difference;
using stainfold::testing::wave_cloud;

namespace {

double naive_distance(const at::Tensor& a, const at::Tensor& b, Distance distance) {
  if (distance == Distance::euclidean) return (a - b).norm().item<double>();
  const double norms = a.norm().item<double>() * b.norm().item<double>();
  return norms > 0 ? 1 - at::dot(a, b).item<double>() / norms : 1.0;
}

// Rousseeuw 1987, row by row.
at::Tensor naive_silhouette(const at::Tensor& z, const at::Tensor& labels, Distance distance) {
  const at::Tensor rows = z.to(at::kDouble);
  at::Tensor result = at::zeros({z.size(0)}, at::kDouble);
  for (std::int64_t i = 0; i < z.size(0); ++i) {
    std::map<std::int64_t, std::pair<double, int>> cluster;  // sum of distances, rows
    for (std::int64_t j = 0; j < z.size(0); ++j) {
      if (j == i) continue;
      auto& [sum, count] = cluster[labels[j].item<std::int64_t>()];
      sum += naive_distance(rows[i], rows[j], distance);
      ++count;
    }
    const std::int64_t own = labels[i].item<std::int64_t>();
    if (!cluster.count(own)) continue;
    const double inside = cluster[own].first / cluster[own].second;
    double nearest = std::numeric_limits<double>::infinity();
    for (const auto& [label, group] : cluster) {
      if (label != own) nearest = std::min(nearest, group.first / group.second);
    }
    const double larger = std::max(inside, nearest);
    result[i] = larger > 0 ? (nearest - inside) / larger : 0.0;
  }
  return result;
}

}  // namespace

TEST_CASE("silhouette: scikit-learn's numbers") {
  const at::Tensor z = golden_cloud(), labels = golden_labels();
  const at::Tensor samples = silhouette_samples(z, labels, Distance::euclidean);
  // 1e-10: float64 against scikit-learn's float64, sums in another order.
  CHECK(std::abs(samples.mean().item<double>() - 0.08855429032736091) < 1e-10);
  CHECK(std::abs(samples[0].item<double>() - 0.15736636731019069) < 1e-10);
  CHECK(std::abs(samples[1].item<double>() - 0.11138061785180182) < 1e-10);
  CHECK(std::abs(samples[2].item<double>() - 0.18121070470864048) < 1e-10);
  const double cosine = silhouette_samples(z, labels, Distance::cosine).mean().item<double>();
  CHECK(std::abs(cosine - 0.024862097479356273) < 1e-10);
  // float32 input: rounded once to 2^-24, then float64.
  const at::Tensor from_float = silhouette_samples(z.to(at::kFloat), labels, Distance::euclidean);
  CHECK((from_float.scalar_type() == at::kDouble));
  CHECK(largest_difference(from_float, samples) < 1e-5);
}

TEST_CASE(
    "silhouette: equals the naive reference on duplicates, single rows, zero rows and gaps in the labels") {
  at::Tensor z = wave_cloud(60, 5);
  z.slice(0, 10, 14).copy_(z[9].expand({4, 5}));  // duplicates within and across clusters
  z[20].zero_();
  z[21].zero_();
  at::Tensor labels = at::arange(60, at::kLong).remainder(4) * 7;
  labels[59] = 1000;  // a cluster of one
  for (const Distance distance : {Distance::euclidean, Distance::cosine}) {
    const at::Tensor reference = naive_silhouette(z, labels, distance);
    const at::Tensor samples = silhouette_samples(z, labels, distance);
    CHECK(samples[59].item<double>() == 0.0);
    CHECK(largest_difference(samples, reference) < 1e-12);  // sums of 60 float64 distances
    for (const std::int64_t block : {1, 7, 59, 60, 1000}) {
      CAPTURE(block);
      CHECK(largest_difference(metrics::silhouette_in_tiles(z, labels, distance, block), samples) < 1e-12);
    }
  }
}

TEST_CASE("silhouette: a cloud far from the origin keeps its distances") {
  const at::Tensor z = wave_cloud(40, 6), labels = at::arange(40, at::kLong).remainder(2);
  // 1e6 costs ten bits of z itself (2^-33 left); |x|^2 - 2xy + |y|^2 without centring would cost twenty more.
  CHECK(largest_difference(silhouette_samples(z + 1e6, labels, Distance::euclidean),
                           silhouette_samples(z, labels, Distance::euclidean)) < 1e-8);
}

TEST_CASE("silhouette: all rows alike is 0 everywhere, not NaN") {
  const at::Tensor z = at::full({9, 3}, 0.1, at::kDouble), labels = at::arange(9, at::kLong).remainder(3);
  for (const Distance distance : {Distance::euclidean, Distance::cosine}) {
    CHECK(silhouette_samples(z, labels, distance).abs().max().item<double>() == 0.0);
  }
}

TEST_CASE("silhouette: rows alike have distance 0 within rounding of their length") {
  const at::Tensor z = at::cat({wave_cloud(30, 7), wave_cloud(30, 7)});
  const at::Tensor block = metrics::PairwiseDistances(z, Distance::euclidean).tile(5, 40, 0, 60);
  CHECK(block.diagonal(5).abs().max().item<double>() == 0.0);
  CHECK(block.diagonal(35).abs().max().item<double>() == 0.0);
}

TEST_CASE("silhouette: well apart is near 1, mislabelled near -1") {
  const at::Tensor labels = at::arange(50, at::kLong).remainder(2);
  const at::Tensor z = wave_cloud(50, 3) * 1e-3 + labels.unsqueeze(1).to(at::kDouble) * 10;
  CHECK(silhouette_samples(z, labels, Distance::euclidean).min().item<double>() > 0.999);
  at::Tensor wrong = labels.clone();
  wrong[0] = 1;
  CHECK(silhouette_samples(z, wrong, Distance::euclidean)[0].item<double>() < -0.999);
}

TEST_CASE("silhouette: what it refuses") {
  const at::Tensor z = wave_cloud(6, 2), labels = at::arange(6, at::kLong);
  const auto call = [](const at::Tensor& values, const at::Tensor& of) {
    return code_of([&] { silhouette_samples(values, of, Distance::euclidean); });
  };
  CHECK(call(z, at::zeros({6}, at::kLong)) == ErrorCode::option);
  CHECK(call(z, labels - 1) == ErrorCode::option);
  CHECK(call(z, labels.slice(0, 1)) == ErrorCode::shape);
  CHECK(call(z, labels.to(at::kInt)) == ErrorCode::dtype);
  CHECK(call(z.to(at::kHalf), labels) == ErrorCode::dtype);
  CHECK(call(z[0], labels) == ErrorCode::shape);
  CHECK(call(at::empty({0, 2}), at::empty({0}, at::kLong)) == ErrorCode::shape);
  CHECK(call(at::empty({6, 0}), labels) == ErrorCode::shape);
  for (const double poison :
       {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()}) {
    at::Tensor poisoned = z.clone();
    poisoned[3][1] = poison;
    CHECK(call(poisoned, labels) == ErrorCode::non_finite);
  }
  // Finite values whose sum is not: they must pass.
  CHECK_NOTHROW(
      silhouette_samples(at::full({4, 2}, 1.5e308, at::kDouble), at::arange(4, at::kLong), Distance::cosine));
}
