#include "train/translator_objective.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/nn/module.h>

#include "models/weights.h"
#include "testing.h"
#include "train/translator_fixtures.h"

using namespace stainfold;
using namespace stainfold::testing;

namespace {

struct Bench {
  TranslatorTrainOptions options = small_translator();
  TranslatorNetworks networks{std::make_shared<Generator>(4, 1), std::make_shared<Generator>(4, 1),
                              std::make_shared<PatchJudge>(4, 2), std::make_shared<PatchJudge>(4, 2)};
  at::Tensor source = at::rand({3, 3, 32, 32}).mul_(2).sub_(1);
  at::Tensor target = at::rand({2, 3, 32, 32}).mul_(2).sub_(1);

  Bench() {
    std::uint64_t seed = 1;
    for (torch::nn::Module* module : modules()) initialise(*module, seed++, 0.1);
  }

  std::vector<torch::nn::Module*> modules() const {
    return {networks.to_source.get(), networks.to_target.get(), networks.source_judge.get(),
            networks.target_judge.get()};
  }
  std::vector<at::Tensor> generator_parameters() const {
    std::vector<at::Tensor> list = networks.to_source->parameters();
    for (const at::Tensor& parameter : networks.to_target->parameters()) list.push_back(parameter);
    return list;
  }
};

at::Tensor mean_absolute(const at::Tensor& a, const at::Tensor& b) { return (a - b).abs().sum() / a.numel(); }

// Zhu et al. 2017, equations 2, 3 and the identity term of section 5.2, each image passed on its own.
at::Tensor slow_objective(const Bench& bench, double cycle, double identity) {
  Generator &to_source = *bench.networks.to_source, &to_target = *bench.networks.to_target;
  const auto one_by_one = [](auto& network, const at::Tensor& images) {
    std::vector<at::Tensor> rows;
    for (std::int64_t i = 0; i < images.size(0); ++i) rows.push_back(network.forward(images.narrow(0, i, 1)));
    return at::cat(rows);
  };
  const at::Tensor as_source = one_by_one(to_source, bench.target),
                   as_target = one_by_one(to_target, bench.source);
  const at::Tensor fooled_source = one_by_one(*bench.networks.source_judge, as_source),
                   fooled_target = one_by_one(*bench.networks.target_judge, as_target);
  const auto squares = [](const at::Tensor& verdict) {
    return (verdict - 1.0).square().sum() / verdict.numel();
  };
  return squares(fooled_source) + squares(fooled_target) +
         cycle * mean_absolute(one_by_one(to_source, as_target), bench.source) +
         cycle * mean_absolute(one_by_one(to_target, as_source), bench.target) +
         cycle * identity * mean_absolute(one_by_one(to_source, bench.source), bench.source) +
         cycle * identity * mean_absolute(one_by_one(to_target, bench.target), bench.target);
}

at::Tensor flat_gradient(const at::Tensor& objective, const std::vector<at::Tensor>& parameters) {
  std::vector<at::Tensor> parts;
  for (const at::Tensor& part : torch::autograd::grad({objective}, parameters))
    parts.push_back(part.flatten());
  return at::cat(parts);
}

}  // namespace

TEST_CASE("the generators' objective is the papers', in value and gradient") {
  Bench bench;
  for (const double identity : {0.0, 0.5}) {
    CAPTURE(identity);
    bench.options.identity = identity;
    bench.options.cycle = 7.0;
    const TranslationTerms terms =
        translate_terms(bench.options, bench.networks, bench.source, bench.target, at::kFloat);
    const at::Tensor slow = slow_objective(bench, 7.0, identity);
    // float32 sums in another order, through two networks.
    CHECK(relative_error(terms.objective, slow) < 1e-5);
    CHECK(terms.adversarial.item<double>() +
              7.0 * (terms.cycle.item<double>() + identity * terms.identity.item<double>()) ==
          doctest::Approx(slow.item<double>()).epsilon(1e-5));
    const auto parameters = bench.generator_parameters();
    const at::Tensor fast_gradient = flat_gradient(terms.objective, parameters);
    CHECK(relative_error(fast_gradient, flat_gradient(slow, parameters)) < 1e-3);
    // The comparison can fail: a wrong weight shows.
    CHECK(relative_error(fast_gradient, flat_gradient(slow_objective(bench, 7.5, identity), parameters)) >
          1e-2);
    CHECK(terms.as_source.sizes() == bench.target.sizes());
    CHECK(terms.as_target.sizes() == bench.source.sizes());
    CHECK_FALSE(terms.as_source.requires_grad());
  }
}

TEST_CASE("the generators' objective leaves the judges alone, who learn afterwards") {
  Bench bench;
  const TranslationTerms terms =
      translate_terms(bench.options, bench.networks, bench.source, bench.target, at::kFloat);
  terms.objective.backward();
  for (const at::Tensor& parameter : bench.networks.source_judge->parameters()) {
    CHECK_FALSE(parameter.grad().defined());
    CHECK(parameter.requires_grad());
  }
  for (const at::Tensor& parameter : bench.generator_parameters()) CHECK(parameter.grad().defined());
}

TEST_CASE("the judge's loss is least squares, in value and gradient") {
  Bench bench;
  PatchJudge& judge = *bench.networks.source_judge;
  const at::Tensor painted = at::rand({4, 3, 32, 32});
  const at::Tensor fast = judge_loss(judge, bench.source, painted, at::kFloat);
  const at::Tensor real_verdict = judge.forward(bench.source), painted_verdict = judge.forward(painted);
  const at::Tensor slow =
      0.5 * (1.0 - 2.0 * real_verdict + real_verdict.square()).mean() + 0.5 * painted_verdict.square().mean();
  CHECK(relative_error(fast, slow) < 1e-5);
  CHECK(relative_error(flat_gradient(fast, judge.parameters()), flat_gradient(slow, judge.parameters())) <
        1e-4);
  // A judge that says 1/2 of everything has a loss of 1/4.
  const at::NoGradGuard no_grad;
  for (const auto& item : judge.named_parameters()) item.value().fill_(item.key() == "last_bias" ? 0.5 : 0.0);
  CHECK(judge_loss(judge, bench.source, painted, at::kFloat).item<double>() == doctest::Approx(0.25));
}
