#include "stainfold/translator_trainer.h"

#include <ATen/ops/randint.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/zeros.h>

#include <cmath>

#include "core/checks.h"
#include "models/precision.h"
#include "models/seed.h"
#include "models/tile_range.h"
#include "models/weights.h"
#include "stain/geometry.h"
#include "stain/random.h"
#include "stainfold/device.h"
#include "train/adamw.h"
#include "train/image_pool.h"
#include "train/schedule.h"
#include "train/translator_objective.h"

namespace stainfold {
namespace {

constexpr double kWeightDeviation = 0.02;  // of the initial weights, and
constexpr double kMomentumDecay = 0.5;     // Adam's first: Zhu et al. 2017, after Radford et al. 2016

const TranslatorTrainOptions& checked(const TranslatorTrainOptions& options) {
  const auto at_least_zero = [](const char* name, double value) {
    check_option(std::isfinite(value) && value >= 0.0,
                 std::string(name) + " must be >= 0, got " + std::to_string(value));
  };
  check(options.model);
  at_least_zero("cycle", options.cycle);
  at_least_zero("identity", options.identity);
  check_option(options.pool >= 1, "pool must be >= 1, got " + std::to_string(options.pool));
  check_option(options.total_steps >= 1,
               "total steps must be >= 1, got " + std::to_string(options.total_steps));
  check_option(options.constant_steps >= 0 && options.constant_steps <= options.total_steps,
               "constant steps must be in [0, total steps], got " + std::to_string(options.constant_steps));
  check_option(std::isfinite(options.learning_rate) && options.learning_rate > 0.0,
               "learning rate must be > 0, got " + std::to_string(options.learning_rate));
  check_option(options.precision != "fp16",
               "precision fp16 is for inference: its gradients underflow; got fp16");
  return options;
}

TranslatorNetworks build_translator(const TranslatorTrainOptions& options, at::Device device) {
  const TranslatorConfig& model = options.model;
  TranslatorNetworks networks{std::make_shared<Generator>(model.width, model.blocks),
                              std::make_shared<Generator>(model.width, model.blocks),
                              std::make_shared<PatchJudge>(model.judge_width, model.judge_layers),
                              std::make_shared<PatchJudge>(model.judge_width, model.judge_layers)};
  // On the CPU whatever the device, so that a seed means the same weights everywhere.
  const auto settle = [&](torch::nn::Module& module, SeedStream stream) {
    initialise(module, stream_seed(options.seed, stream), kWeightDeviation);
    module.to(device);
  };
  settle(*networks.to_source, SeedStream::to_source);
  settle(*networks.to_target, SeedStream::to_target);
  settle(*networks.source_judge, SeedStream::source_judge);
  settle(*networks.target_judge, SeedStream::target_judge);
  return networks;
}

std::vector<NamedTensor> both_parameters(const std::string& first_name, const torch::nn::Module& first,
                                         const std::string& second_name, const torch::nn::Module& second) {
  std::vector<NamedTensor> list;
  for (const auto& item : first.named_parameters()) list.push_back({first_name + item.key(), item.value()});
  for (const auto& item : second.named_parameters()) list.push_back({second_name + item.key(), item.value()});
  return list;
}

}  // namespace

struct TranslatorTrainer::State {
  explicit State(const TranslatorTrainOptions& asked)
      : options(checked(asked)),
        device(resolve_device(asked.device)),
        precision(resolve_precision(asked.precision, device)),
        schedule{asked.learning_rate, asked.constant_steps, asked.total_steps},
        networks(build_translator(asked, device)),
        generators(both_parameters("to_source.", *networks.to_source, "to_target.", *networks.to_target),
                   /*weight_decay=*/0.0, kMomentumDecay),
        judges(
            both_parameters("source_judge.", *networks.source_judge, "target_judge.", *networks.target_judge),
            /*weight_decay=*/0.0, kMomentumDecay),
        source_pool(asked.pool, asked.model.tile_size, device),
        target_pool(asked.pool, asked.model.tile_size, device),
        steps(at::zeros({1}, at::kLong)) {
    settle_cuda(device);
  }

  // A draw is a function of (seed, step, which): a resumed run repeats it.
  at::Generator generator(SeedStream stream, std::int64_t step, std::uint64_t which) const {
    return seeded_generator(mix_seed(stream_seed(options.seed, stream), static_cast<std::uint64_t>(step)),
                            which);
  }

  // The tiles as images on the device, each under a symmetry of its own.
  at::Tensor images(const at::Tensor& tiles, std::int64_t step, std::uint64_t which) const {
    const at::Tensor moved = device.is_cuda() ? tiles.pin_memory().to(device, /*non_blocking=*/true) : tiles;
    if (!options.geometry) return image_of(moved);
    const at::Tensor symmetry =
        at::randint(8, {tiles.size(0)}, generator(SeedStream::translator_geometry, step, which), at::kLong);
    return image_of(apply_symmetry(moved, symmetry));
  }

  TranslatorReport report(const TranslationTerms& terms, const at::Tensor& judge, std::int64_t step,
                          std::int64_t tiles) const;

  const TranslatorTrainOptions options;
  const at::Device device;
  const at::ScalarType precision;
  const LinearDecay schedule;
  TranslatorNetworks networks;
  AdamW generators, judges;
  ImagePool source_pool, target_pool;
  at::Tensor steps;  // int64 [1], on the CPU: steps done
};

// The scalars of a step cross from the device in one transfer.
TranslatorReport TranslatorTrainer::State::report(const TranslationTerms& terms, const at::Tensor& judge,
                                                  std::int64_t step, std::int64_t tiles) const {
  const at::Tensor numbers = at::stack({terms.adversarial, terms.cycle, terms.identity, judge,
                                        generators.gradient_norm(), judges.gradient_norm()})
                                 .to(at::kCPU)
                                 .to(at::kDouble);
  const double* const value = numbers.const_data_ptr<double>();
  TranslatorReport report{};
  report.step = step + 1;
  report.learning_rate = schedule.learning_rate(step);
  report.adversarial = value[0];
  report.cycle = value[1];
  report.identity = value[2];
  report.judge = value[3];
  report.gradient_norm = value[4];
  report.judge_gradient_norm = value[5];
  report.loss = report.adversarial + options.cycle * (report.cycle + options.identity * report.identity);
  report.tiles = tiles;
  if (!std::isfinite(report.loss + report.judge + report.gradient_norm + report.judge_gradient_norm)) {
    throw Error(ErrorCode::non_finite, "step " + std::to_string(report.step) + ": loss " +
                                           std::to_string(report.loss) + ", gradient norm " +
                                           std::to_string(report.gradient_norm) + "; judges: loss " +
                                           std::to_string(report.judge) + ", gradient norm " +
                                           std::to_string(report.judge_gradient_norm));
  }
  return report;
}

TranslatorTrainer::TranslatorTrainer(const TranslatorTrainOptions& options)
    : state_(std::make_unique<State>(options)) {}
TranslatorTrainer::~TranslatorTrainer() = default;

TranslatorReport TranslatorTrainer::step(const at::Tensor& source, const at::Tensor& target) {
  State& run = *state_;
  const std::int64_t step = steps_done(), side = run.options.model.tile_size;
  for (const auto& [tiles, name] : {std::pair{&source, "source tiles"}, std::pair{&target, "target tiles"}}) {
    check_tiles(*tiles);
    check_shape(*tiles, name, {-1, side, side, 3});
  }
  const at::Tensor real_source = run.images(source, step, 0), real_target = run.images(target, step, 1);
  run.generators.clear_gradients();
  run.judges.clear_gradients();

  const TranslationTerms terms =
      translate_terms(run.options, run.networks, real_source, real_target, run.precision);
  terms.objective.backward();

  // The judges' gradients do not depend on the generators' update: both updates wait until all is known to be
  // finite.
  const ImagePool::Exchange as_source =
      run.source_pool.exchange(terms.as_source, run.generator(SeedStream::translator_pool, step, 0));
  const ImagePool::Exchange as_target =
      run.target_pool.exchange(terms.as_target, run.generator(SeedStream::translator_pool, step, 1));
  const at::Tensor judges =
      judge_loss(*run.networks.source_judge, real_source, as_source.shown, run.precision) +
      judge_loss(*run.networks.target_judge, real_target, as_target.shown, run.precision);
  judges.backward();

  const TranslatorReport report =
      run.report(terms, 0.5 * judges.detach(), step, source.size(0) + target.size(0));
  run.generators.step(report.learning_rate, step + 1, /*scale=*/1.0);
  run.judges.step(report.learning_rate, step + 1, /*scale=*/1.0);
  run.source_pool.accept(as_source);
  run.target_pool.accept(as_target);
  run.steps.fill_(step + 1);
  return report;
}

std::vector<NamedTensor> TranslatorTrainer::state() const {
  const State& run = *state_;
  std::vector<NamedTensor> list;
  append_weights(list, "to_source.", *run.networks.to_source);
  append_weights(list, "to_target.", *run.networks.to_target);
  append_weights(list, "source_judge.", *run.networks.source_judge);
  append_weights(list, "target_judge.", *run.networks.target_judge);
  run.generators.append_state(list);
  run.judges.append_state(list);
  run.source_pool.append_state(list, "source_pool.");
  run.target_pool.append_state(list, "target_pool.");
  list.push_back({"trainer.step", run.steps});
  return list;
}

void TranslatorTrainer::load_state(const std::vector<NamedTensor>& state) {
  const std::vector<NamedTensor> own = this->state();
  if (state.size() != own.size()) {
    throw Error(ErrorCode::weights, "the state must hold " + std::to_string(own.size()) + " tensors, got " +
                                        std::to_string(state.size()));
  }
  copy_weights(own, state);
}

std::int64_t TranslatorTrainer::steps_done() const { return state_->steps.item<std::int64_t>(); }
std::string TranslatorTrainer::device() const { return state_->device.str(); }
std::string TranslatorTrainer::precision() const { return precision_name(state_->precision); }

}  // namespace stainfold
