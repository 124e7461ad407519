// Distances from a block of rows to all rows: the only place where anything of size block * N exists.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "stainfold/metrics.h"

namespace stainfold::metrics {

// Rows a block may hold so that one [block,N] float64 buffer stays near 32 MiB.
std::int64_t default_block_rows(std::int64_t rows);

class PairwiseDistances {
 public:
  PairwiseDistances(const at::Tensor& z,  // [N,d] float64, finite
                    Distance distance);

  // Distances of rows [begin, end) to all rows; exactly 0 from a row to itself.
  at::Tensor block(std::int64_t begin, std::int64_t end) const;  // -> [end-begin,N] float64
  std::int64_t rows() const { return points_.size(0); }

 private:
  Distance distance_;
  at::Tensor points_;         // [N,d] centred (euclidean) or of unit length (cosine; zero rows stay zero)
  at::Tensor squared_norms_;  // [N], euclidean only
};

// The metrics that stream blocks, with the rows of a block open so that tests can compare sizes; 0 chooses.
at::Tensor silhouette_in_blocks(const at::Tensor& z, const at::Tensor& labels, Distance distance,
                                std::int64_t block_rows = 0);
at::Tensor knn_predict_in_blocks(const at::Tensor& z, const at::Tensor& labels, std::int64_t k,
                                 std::int64_t block_rows = 0);
double lisi_in_blocks(const at::Tensor& z, const at::Tensor& labels, std::int64_t k,
                      std::int64_t block_rows = 0);

}  // namespace stainfold::metrics
