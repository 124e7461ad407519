// 20,000 x 20,000 distances are 3.2 GB, 8,000 x 8,000 half of one: the metrics must not hold them. (100,000 x
// 256 is measured by hand: docs/method.md.)
#include <sys/resource.h>

#include "clouds.h"
#include "stainfold/metrics.h"
#include "testing.h"

using namespace stainfold;

namespace {

double peak_megabytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) / 1024;  // Linux counts in KiB
}

}  // namespace

TEST_CASE("memory: 20,000 rows of 64 stay within a few blocks") {
  const at::Tensor z = stainfold::testing::wave_cloud(20000, 64);
  const at::Tensor labels = at::arange(20000, at::kLong).remainder(8);
  const double before = peak_megabytes();
  const at::Tensor samples = silhouette_samples(z, labels, Distance::euclidean);
  CHECK(samples.abs().max().item<double>() <= 1.0);
  CHECK(knn_predict(z.slice(0, 0, 8000), labels.slice(0, 0, 8000), 15).size(0) == 8000);
  const Retrieval found = retrieve(z.slice(0, 0, 8000), labels.slice(0, 0, 8000).remainder(2),
                                   at::arange(8000, at::kLong).div(2, "floor"));
  CHECK(found.queries.sum().item<double>() == 8000);
  CHECK(permanova(z, labels, std::nullopt, 19, 1).r2 < 0.1);
  CHECK(kmeans(z, 8, 1).size(0) == 20000);
  // A tile is 8 MiB and z 10: a handful live at once, and BLAS has buffers of its own.
  CHECK(peak_megabytes() - before < 300);
}
