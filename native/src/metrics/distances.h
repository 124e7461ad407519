// Distances between stretches of rows, tile by tile: nothing of size N * N, nor of size block * N, ever
// exists.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>

#include "stainfold/metrics.h"

namespace stainfold::metrics {

// Rows and columns of one tile of the matrix of distances: 8 MiB of float64, which a cache holds.
struct Tiling {
  std::int64_t rows = 512, columns = 2048;
};
// Square tiles of `side`, so that tests can compare sizes; 0 chooses.
Tiling tiling(std::int64_t side);

// Rows of length 1; a zero row stays zero.
at::Tensor unit_rows(const at::Tensor& z);  // [N,d] -> [N,d]

class PairwiseDistances {
 public:
  PairwiseDistances(const at::Tensor& z,  // [N,d] float64, finite
                    Distance distance);

  // Distances of rows [begin, end) to rows [first, last); exactly 0 from a row to itself.
  at::Tensor tile(std::int64_t begin, std::int64_t end, std::int64_t first,
                  std::int64_t last) const;  // -> [end-begin,last-first] float64
  std::int64_t rows() const { return points_.size(0); }

 private:
  Distance distance_;
  at::Tensor points_;         // [N,d] centred (euclidean) or of unit length (cosine; zero rows stay zero)
  at::Tensor squared_norms_;  // [N], euclidean only, less what is rounding
};

// The metrics that stream tiles, with their side open so that tests can compare sizes; 0 chooses.
at::Tensor silhouette_in_tiles(const at::Tensor& z, const at::Tensor& labels, Distance distance,
                               std::int64_t side = 0);
NeighbourScores neighbour_scores_in_tiles(const at::Tensor& z, const at::Tensor& labels, std::int64_t k,
                                          const std::optional<at::Tensor>& groups = std::nullopt,
                                          std::int64_t side = 0);
at::Tensor knn_probe_in_tiles(const at::Tensor& train, const at::Tensor& train_labels, const at::Tensor& test,
                              std::int64_t k, std::int64_t side = 0);
Retrieval retrieve_in_tiles(const at::Tensor& z, const at::Tensor& batches, const at::Tensor& pairs,
                            std::int64_t side = 0);

}  // namespace stainfold::metrics
