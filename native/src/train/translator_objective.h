// The objectives of one step: of the generators, and of a judge.
#pragma once

#include <memory>

#include "models/generator.h"
#include "models/patch_judge.h"
#include "stainfold/translator_trainer.h"

namespace stainfold {

struct TranslatorNetworks {
  std::shared_ptr<Generator> to_source, to_target;
  std::shared_ptr<PatchJudge> source_judge, target_judge;
};

// Scalars are float32 on the device, before weighting and free of the graph.
struct TranslationTerms {
  at::Tensor objective;  // differentiable; reaches the generators alone
  at::Tensor adversarial, cycle, identity;
  at::Tensor as_source, as_target;  // the painted tiles, free of the graph
};

// Least squares towards what the judge says of real tiles (LSGAN, Mao et al. 2017), L1 for what went there
// and back, and L1 for what was there already. An identity weight of 0 saves its cost, and the term is
// reported as 0.
TranslationTerms translate_terms(const TranslatorTrainOptions& options, TranslatorNetworks& networks,
                                 const at::Tensor& source,  // [S,3,T,T] in [-1,1]
                                 const at::Tensor& target,  // [R,3,T,T] in [-1,1]
                                 at::ScalarType precision);

// (mean (D(real) - 1)^2 + mean D(painted)^2) / 2, differentiable.
at::Tensor judge_loss(PatchJudge& judge, const at::Tensor& real, const at::Tensor& painted,
                      at::ScalarType precision);

}  // namespace stainfold
