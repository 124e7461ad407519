#include "train/translator_objective.h"

#include <ATen/ops/cat.h>
#include <ATen/ops/l1_loss.h>
#include <ATen/ops/zeros.h>

#include "train/autocast.h"

namespace stainfold {
namespace {

// The judges judge here and do not learn: their gradients would cost a third of the step, and would have to
// be thrown away.
class Unlearning {
 public:
  explicit Unlearning(std::vector<at::Tensor> parameters) : parameters_(std::move(parameters)) { set(false); }
  ~Unlearning() { set(true); }
  Unlearning(const Unlearning&) = delete;
  Unlearning& operator=(const Unlearning&) = delete;

 private:
  void set(bool value) {
    for (at::Tensor& parameter : parameters_) parameter.set_requires_grad(value);
  }
  std::vector<at::Tensor> parameters_;
};

std::vector<at::Tensor> judge_parameters(const TranslatorNetworks& networks) {
  std::vector<at::Tensor> list = networks.source_judge->parameters();
  for (const at::Tensor& parameter : networks.target_judge->parameters()) list.push_back(parameter);
  return list;
}

at::Tensor squared_distance(const at::Tensor& verdict, double wanted) {
  return (verdict - wanted).square().mean();
}

}  // namespace

TranslationTerms translate_terms(const TranslatorTrainOptions& options, TranslatorNetworks& networks,
                                 const at::Tensor& source, const at::Tensor& target,
                                 at::ScalarType precision) {
  const Unlearning unlearning(judge_parameters(networks));
  const AutocastScope scope(source.device().type(), precision);
  const bool with_identity = options.identity > 0.0;

  // Painting and identity share a pass: instance norm keeps images apart.
  const auto paint = [&](Generator& generator, const at::Tensor& from, const at::Tensor& own) {
    if (!with_identity) return std::pair{generator.forward(from), at::Tensor()};
    const at::Tensor both = generator.forward(at::cat({from, own}));
    return std::pair{both.narrow(0, 0, from.size(0)), both.narrow(0, from.size(0), own.size(0))};
  };
  const auto [as_source, source_again] = paint(*networks.to_source, target, source);
  const auto [as_target, target_again] = paint(*networks.to_target, source, target);

  const at::Tensor adversarial = squared_distance(networks.source_judge->forward(as_source), 1.0) +
                                 squared_distance(networks.target_judge->forward(as_target), 1.0);
  const at::Tensor cycle = at::l1_loss(networks.to_source->forward(as_target), source) +
                           at::l1_loss(networks.to_target->forward(as_source), target);
  const at::Tensor identity = with_identity
                                  ? at::l1_loss(source_again, source) + at::l1_loss(target_again, target)
                                  : at::zeros({}, source.options());
  return {adversarial + options.cycle * (cycle + options.identity * identity),
          adversarial.detach(),
          cycle.detach(),
          identity.detach(),
          as_source.detach(),
          as_target.detach()};
}

at::Tensor judge_loss(PatchJudge& judge, const at::Tensor& real, const at::Tensor& painted,
                      at::ScalarType precision) {
  const AutocastScope scope(real.device().type(), precision);
  const at::Tensor verdict = judge.forward(at::cat({real, painted}));
  return 0.5 * (squared_distance(verdict.narrow(0, 0, real.size(0)), 1.0) +
                squared_distance(verdict.narrow(0, real.size(0), painted.size(0)), 0.0));
}

}  // namespace stainfold
