// Out-of-distribution scores: how unlike the training tiles, seen through the manifold of stains, a tile is.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "stainfold/models.h"

namespace stainfold {

// What a tile is described by, in columns: z [d], then
//   structure [7]  what its reconstruction leaves unexplained, by scale and place
//   stain [11]     over its stained places: ranges of the differences of chromaticities (3), their ends (6),
//                  the spread of colours across and along their line (2)
//   density [1]    how much denser than the middle the densest places are, in every channel and difference
//   blur [1]       how much coarser than fine its detail is
//   coverage [2]   share of stained places, share of black padding
constexpr std::int64_t kStructureFeatures = 7, kStainFeatures = 11, kTissueFeatures = kStainFeatures + 4;
constexpr std::int64_t kOutlierFeatures = kStructureFeatures + kTissueFeatures;  // beside z
// The parts of a score: embedding, structure, stain, density, blur.
constexpr std::int64_t kOutlierParts = 5;

// Structure: the tile's density is predicted from the drawn one by the best affine map of colours, since a
// change of stain is such a map; the logarithm of what is left, in octaves of scale, and of its worst places.
at::Tensor outlier_features(const at::Tensor& z,       // [N,d]
                            const at::Tensor& pixels,  // [N,3,S,S] in [0,1], S a multiple of 32
                            const at::Tensor& drawn);  // [N,3,S,S] in [0,1] -> [N,d+22] float32

struct OutlierStatistics {
  at::Tensor mean, scale;               // [d+7+11] of the features that have a distance
  at::Tensor latent, structure, stain;  // whitening of each part: inverse Cholesky factors of covariances
  at::Tensor centre, limit;             // [5] median and 99th percentile of each part, calibration rows
  at::Tensor calibration;               // [n] scores of the calibration rows, ascending
};

// Ledoit & Wolf 2004: the shrunk covariance of centred rows, (1-s) S + s tr(S)/p I.
at::Tensor shrunk_covariance(const at::Tensor& centred);  // [n,p] float64 -> [p,p]

// Tiles with black padding are left out, unless most have it. Every row calibrates: its distances come from
// means and covariances of the other two thirds of the tiles. Throws ErrorCode::option for fewer than 6
// tiles.
OutlierStatistics fit_outliers(const at::Tensor& features,  // [n,F]
                               const at::Tensor& tile);     // [n] int64: which tile a row is a rendering of

// Columns: Mahalanobis distance of z, of structure, of stain; density; blur; score, the largest of the five
// in units of (limit - centre); conformal p-value, the share of calibration rows (and the tile itself) at
// least as extreme; which part is the largest, 0 to 4. Stain, density and blur are NaN, and do not count,
// where too little tissue is seen.
at::Tensor score_outliers(const OutlierStatistics& statistics,
                          const at::Tensor& features);  // [n,F] -> [n,8] float64

std::vector<NamedTensor> to_tensors(const OutlierStatistics& statistics);  // float32, names "ood.*"
// Whether the weights hold statistics of this kind; those of earlier versions had other parts.
bool holds_outliers(const std::vector<NamedTensor>& weights);
// Throws ErrorCode::weights for missing or misshapen tensors.
OutlierStatistics outliers_from(const std::vector<NamedTensor>& weights, std::int64_t latent);

}  // namespace stainfold
