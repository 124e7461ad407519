// Batch-effect and probe metrics. Blockwise: memory is O(N d + block * N), never N x N. Computed in float64
// from float32 or float64 input. Labels are int64 in [0, classes); every label that occurs counts as a class.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace stainfold {

enum class Distance { euclidean, cosine };

// Rousseeuw's silhouette of every row, scikit-learn's conventions (0 for a cluster of one). Needs two labels.
at::Tensor silhouette_samples(const at::Tensor& z,       // [N,d]
                              const at::Tensor& labels,  // [N] int64
                              Distance distance);        // -> [N] float64

// Label of the majority of the k nearest other rows (ties: the smaller label), cosine distance; of equally
// distant rows the smaller index is nearer. 1 <= k < N.
at::Tensor knn_predict(const at::Tensor& z, const at::Tensor& labels, std::int64_t k);  // -> [N] int64

// Mean inverse Simpson index of the labels among the k nearest other rows (cosine, unweighted): 1 = unmixed,
// number of labels = perfectly mixed.
double lisi(const at::Tensor& z, const at::Tensor& labels, std::int64_t k);

// Squared 2-Wasserstein distance of Gaussian fits (covariance with n-1): |mu_a-mu_b|^2 + tr(Sa + Sb - 2 (Sa
// Sb)^1/2).
double frechet_distance(const at::Tensor& a,   // [N,d]
                        const at::Tensor& b);  // [M,d]

// Area under the ROC curve, ties count half. NaN when one class is absent.
double auroc(const at::Tensor& scores,     // [N]
             const at::Tensor& positive);  // [N] bool

double accuracy(const at::Tensor& predicted, const at::Tensor& truth);  // [N] int64
double balanced_accuracy(const at::Tensor& predicted,
                         const at::Tensor& truth);  // mean recall over the classes of truth
double f1_binary(const at::Tensor& predicted,
                 const at::Tensor& truth);  // class 1 is positive; 0 where undefined
double f1_macro(const at::Tensor& predicted, const at::Tensor& truth);  // mean over the classes of either
double adjusted_rand_index(const at::Tensor& a, const at::Tensor& b);

// Class-balanced multinomial logistic regression on standardised columns, L2 penalty, solved by L-BFGS to
// convergence: deterministic. Two classes are penalised as scikit-learn's binary model. Returns class
// probabilities of the rows of `test`, columns 0 to the largest label; a label that does not occur has 0.
at::Tensor linear_probe(const at::Tensor& train,         // [N,d]
                        const at::Tensor& train_labels,  // [N] int64
                        const at::Tensor& test,          // [M,d]
                        double penalty);                 // > 0, per scikit-learn 1/C -> [M,classes] float64

// First two principal components of the rows, sign fixed so that the largest loading is positive: for scatter
// plots.
at::Tensor principal_components(const at::Tensor& z,
                                std::int64_t components);  // [N,d] -> [N,components] float64

// Colour statistics of tiles, the baseline that any encoder must beat: mean, deviation and 10/50/90th
// percentile of R, G, B and of the three optical densities -ln((I+1)/240). Columns: R, G, B, OD R, OD G, OD
// B, five each.
at::Tensor colour_statistics(const at::Tensor& tiles);  // [N,H,W,3] uint8 -> [N,30] float32

}  // namespace stainfold
