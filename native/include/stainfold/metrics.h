// Batch-effect and probe metrics. In tiles: memory is O(N d), never N x N. Computed in float64
// from float32 or float64 input. Labels are int64 in [0, classes); every label that occurs counts as a class.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>

namespace stainfold {

enum class Distance { euclidean, cosine };

// Rousseeuw's silhouette of every row, scikit-learn's conventions (0 for a cluster of one). Needs two labels.
at::Tensor silhouette_samples(const at::Tensor& z,       // [N,d]
                              const at::Tensor& labels,  // [N] int64
                              Distance distance);        // -> [N] float64

// What the k nearest other rows say of each row's label; one search for all of it. Cosine distance; of
// equally distant rows the smaller index is nearer. 1 <= k < N <= 2^21.
struct NeighbourScores {
  at::Tensor predicted;  // [N] int64: label of the majority, of a tie the smaller
  double lisi;  // mean inverse Simpson index (unweighted): 1 = unmixed, number of labels = perfectly mixed
  double kbet;  // Buettner et al. 2019: share of the neighbourhoods whose labels a chi-square test against
                // those of all rows rejects at 0.05. About 0.05 = mixed, 1 = apart; NaN with a single label
  at::Tensor predicted_other_groups;  // [N] int64: as predicted, of the k nearest rows of other groups, or of
                                      // as many as there are; undefined without groups
};
NeighbourScores neighbour_scores(
    const at::Tensor& z,       // [N,d]
    const at::Tensor& labels,  // [N] int64
    std::int64_t k,
    const std::optional<at::Tensor>& groups = std::nullopt);  // [N] int64, two at least

at::Tensor knn_predict(const at::Tensor& z, const at::Tensor& labels, std::int64_t k);  // -> [N] int64
double lisi(const at::Tensor& z, const at::Tensor& labels, std::int64_t k);

// Anderson 2001 with Euclidean distances: the share of the rows' scatter that lies between batches, pseudo-F,
// and the share of `permutations` of the labels (and the data's own) that reach it. Groups (slides) that lie
// within a batch each are permuted as wholes, because their rows are not exchangeable.
struct Permanova {
  double r2;           // SS_between / SS_total, 0 to 1; NaN where all rows are alike
  double f;            // infinite where nothing varies within the batches
  double p;            // NaN without permutations
  std::int64_t units;  // what was permuted: rows or groups
};
Permanova permanova(const at::Tensor& z,                      // [N,d]
                    const at::Tensor& labels,                 // [N] int64
                    const std::optional<at::Tensor>& groups,  // [N] int64
                    std::int64_t permutations, std::uint64_t seed);

// Rows of one pair are the same tissue in several batches. Every row asks every other batch that holds its
// pair: is the nearest row there (cosine) one of its pair, is one among the nearest five? Ties count against
// it. Sums over the rows of batch `from` that ask batch `to`, [batches,batches] float64 in the order of their
// labels.
struct Retrieval {
  at::Tensor queries, gallery;  // how many ask, among how many
  at::Tensor top1, top5;        // how many find
};
Retrieval retrieve(const at::Tensor& z,        // [N,d]
                   const at::Tensor& batches,  // [N] int64
                   const at::Tensor& pairs);   // [N] int64

// Clusters of the rows by Euclidean distance, 0 to clusters-1: the best of five runs of k-means from seeded
// k-means++ centres.
at::Tensor kmeans(const at::Tensor& z, std::int64_t clusters, std::uint64_t seed);  // [N,d] -> [N] int64

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

// Class-balanced ridge regression on targets 1 and -1, columns standardised: scikit-learn's RidgeClassifier
// (class_weight='balanced'). Returns a decision value for each label, -infinity for one that does not occur.
at::Tensor ridge_probe(const at::Tensor& train, const at::Tensor& train_labels, const at::Tensor& test,
                       double penalty);  // > 0, scikit-learn's alpha -> [M,classes] float64

// Shares of the votes of the k nearest training rows (cosine), each weighing 1 / its class's training rows.
at::Tensor knn_probe(const at::Tensor& train, const at::Tensor& train_labels, const at::Tensor& test,
                     std::int64_t k);  // 1 <= k <= N -> [M,classes] float64

// Scores of seeded resamples that draw whole clusters (patients, slides) with replacement: balanced accuracy,
// macro F1 and AUROC (two classes: of the second; more: mean of one versus rest, of those defined). The class
// of the largest score is the prediction.
at::Tensor bootstrap_scores(const at::Tensor& scores,                      // [N,classes]
                            const at::Tensor& truth,                       // [N] int64
                            const at::Tensor& clusters,                    // [N] int64
                            std::int64_t resamples, std::uint64_t seed);   // -> [resamples,3] float64
at::Tensor bootstrap_rand_index(const at::Tensor& a, const at::Tensor& b,  // [N] int64
                                const at::Tensor& clusters, std::int64_t resamples,
                                std::uint64_t seed);  // -> [resamples] float64

// First two principal components of the rows, sign fixed so that the largest loading is positive: for scatter
// plots.
at::Tensor principal_components(const at::Tensor& z,
                                std::int64_t components);  // [N,d] -> [N,components] float64

// Colour statistics of tiles, the baseline that any encoder must beat: mean, deviation and 10/50/90th
// percentile of R, G, B and of the three optical densities -ln((I+1)/240). Columns: R, G, B, OD R, OD G, OD
// B, five each.
at::Tensor colour_statistics(const at::Tensor& tiles);  // [N,H,W,3] uint8 -> [N,30] float32

}  // namespace stainfold
