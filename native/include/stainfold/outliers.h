// Out-of-distribution scores: how unlike the training tiles, seen through the manifold of stains, a tile is.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "stainfold/models.h"

namespace stainfold {

// What a tile is described by: z, then what its reconstruction leaves unexplained, by scale and place, then
// its stain.
constexpr std::int64_t kStructureFeatures = 7, kStainFeatures = 9;

// Structure: the tile's density is predicted from the drawn one by the best affine map of colours, since a
// change of stain is such a map; the logarithm of what is left, in octaves of scale, and of its worst places.
// Stain: chromaticity, contrast and correlation of the density's channels.
at::Tensor outlier_features(const at::Tensor& z,       // [N,d]
                            const at::Tensor& pixels,  // [N,3,S,S] in [0,1], S a multiple of 32
                            const at::Tensor& drawn);  // [N,3,S,S] in [0,1] -> [N,d+16] float32

struct OutlierStatistics {
  at::Tensor mean, scale;               // [F] of the features
  at::Tensor latent, structure, stain;  // whitening of each part: inverse Cholesky factors of covariances
  at::Tensor limit;                     // [3] 99th percentile of each part's distance, calibration tiles
  at::Tensor calibration;               // [n] scores of the calibration tiles, ascending
};

// Ledoit & Wolf 2004: the shrunk covariance of centred rows, (1-s) S + s tr(S)/p I.
at::Tensor shrunk_covariance(const at::Tensor& centred);  // [n,p] float64 -> [p,p]

// Two thirds of the tiles give means and covariances, every third calibrates. Throws ErrorCode::option for
// fewer than 6 tiles.
OutlierStatistics fit_outliers(const at::Tensor& features,  // [n,F]
                               const at::Tensor& tile);     // [n] int64: which tile a row is a rendering of

// Columns: Mahalanobis distance of z, of structure, of stain; score, the largest of the three in units of its
// limit; conformal p-value, the share of calibration rows (and the tile itself) at least as extreme.
at::Tensor score_outliers(const OutlierStatistics& statistics,
                          const at::Tensor& features);  // [n,F] -> [n,5] float64

std::vector<NamedTensor> to_tensors(const OutlierStatistics& statistics);  // float32, names "ood.*"
// Throws ErrorCode::weights for missing or misshapen tensors.
OutlierStatistics outliers_from(const std::vector<NamedTensor>& weights, std::int64_t latent);

}  // namespace stainfold
