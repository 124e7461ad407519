#include "stainfold/trainer.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/randint.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/zeros.h>

#include <array>
#include <cmath>

#include "core/checks.h"
#include "models/precision.h"
#include "models/seed.h"
#include "models/weights.h"
#include "stain/view_geometry.h"
#include "stainfold/device.h"
#include "train/adamw.h"
#include "train/check_options.h"
#include "train/objective.h"
#include "train/rank.h"
#include "train/schedule.h"
#include "train/stage_clock.h"
#include "train/statistics_guard.h"

namespace stainfold {
namespace {

const TrainOptions& checked(const TrainOptions& options) {
  check(options);
  return options;
}

std::vector<ManifoldOptions> stains_of(const TrainOptions& options) {
  std::vector<ManifoldOptions> stains = {options.manifold};
  stains.insert(stains.end(), options.further_stains.begin(), options.further_stains.end());
  return stains;
}

Networks build(const TrainOptions& options, std::int64_t labs, at::Device device) {
  const ModelConfig& model = options.model;
  Networks networks{std::make_shared<Encoder>(model), std::make_shared<Decoder>(model),
                    std::make_shared<Discriminator>(model.latent, labs, options.real_labs)};
  // On the CPU whatever the device, so that a seed means the same weights everywhere.
  initialise(*networks.encoder, stream_seed(options.seed, SeedStream::encoder));
  initialise(*networks.decoder, stream_seed(options.seed, SeedStream::decoder));
  initialise(*networks.discriminator, stream_seed(options.seed, SeedStream::discriminator));
  networks.encoder->to(device);
  networks.decoder->to(device);
  networks.discriminator->to(device);
  return networks;
}

std::vector<NamedTensor> parameters_of(const Networks& networks) {
  std::vector<NamedTensor> list;
  const auto append = [&](const std::string& prefix, const torch::nn::Module& module) {
    for (const auto& item : module.named_parameters()) list.push_back({prefix + item.key(), item.value()});
  };
  append("encoder.", *networks.encoder);
  append("decoder.", *networks.decoder);
  append("discriminator.", *networks.discriminator);
  return list;
}

std::vector<at::Tensor> statistics_of(const Networks& networks) {
  std::vector<at::Tensor> list = networks.encoder->buffers();
  for (const at::Tensor& buffer : networks.decoder->buffers()) list.push_back(buffer);
  return list;
}

// Pinned on the way to a GPU, so that the copy runs beside the CPU's work.
at::Tensor to_device(const at::Tensor& host, at::Device device) {
  return device.is_cuda() ? host.pin_memory().to(device, /*non_blocking=*/true) : host.to(device);
}

}  // namespace

struct Trainer::State {
  explicit State(const TrainOptions& asked)
      : options(checked(asked)),
        device(resolve_device(asked.device)),
        precision(resolve_precision(asked.precision, device)),
        schedule{asked.learning_rate, asked.warmup_steps, asked.total_steps},
        manifold(stains_of(asked), asked.seed),
        networks(build(asked, manifold.labs(), device)),
        optimiser(parameters_of(networks), asked.weight_decay),
        steps(at::zeros({1}, at::kLong)) {
    settle_cuda(device);
  }

  // The view of each tile that is decoded: a function of (seed, step), so that a resumed run draws the same.
  at::Tensor draw_decoded_views(std::int64_t tiles, std::int64_t step) const {
    const std::uint64_t seed =
        mix_seed(stream_seed(options.seed, SeedStream::views), static_cast<std::uint64_t>(step));
    const at::Generator generator = at::make_generator<at::CPUGeneratorImpl>(seed);
    return at::randint(options.views, {tiles}, generator, at::kLong);
  }

  // Each view its own part of the tile, each tile's source the part of the view that is decoded.
  void place_views(Views& views, const at::Tensor& decoded_view, std::int64_t step) const {
    const ViewGeometryOptions geometry{options.view_turn, options.view_crop};
    if (!geometry.turn && geometry.crop == 1.0) return;
    const std::int64_t tiles = decoded_view.size(0);
    const at::Tensor maps =
        draw_view_geometry(geometry, options.views * tiles, options.seed, static_cast<std::uint64_t>(step));
    // The encoder wants channels last: they are written so while pixels move anyway.
    views.pixels = apply_view_geometry(views.pixels, maps, at::MemoryFormat::ChannelsLast);
    views.source = apply_view_geometry(
        views.source, maps.index_select(0, decoded_view * tiles + at::arange(tiles, at::kLong)));
  }

  StepReport report(const Terms& terms, std::int64_t step, std::int64_t tiles, double chance) const;

  const TrainOptions options;
  const at::Device device;
  const at::ScalarType precision;
  const Schedule schedule;
  const JointManifold manifold;
  Networks networks;
  AdamW optimiser;
  at::Tensor steps;  // int64 [1], on the CPU: steps done
};

// The scalars of a step cross from the device in one transfer; finite, they are followed by rows of z.
StepReport Trainer::State::report(const Terms& terms, std::int64_t step, std::int64_t tiles,
                                  double chance) const {
  const at::Tensor numbers =
      at::stack({terms.compaction, terms.scatter, terms.reconstruction, terms.adversarial,
                 terms.discriminator_accuracy, optimiser.gradient_norm()})
          .to(at::kCPU)
          .to(at::kDouble);
  const double* const value = numbers.const_data_ptr<double>();
  StepReport report{};
  report.step = step + 1;
  report.learning_rate = schedule.learning_rate(step);
  report.compaction = value[0];
  report.scatter = value[1];
  report.reconstruction = value[2];
  report.adversarial = value[3];
  report.discriminator_accuracy = value[4];
  report.discriminator_chance = chance;
  report.gradient_norm = value[5];
  const LossWeights& weights = options.weights;
  report.loss = weights.compaction * report.compaction + weights.scatter * report.scatter +
                weights.reconstruction * report.reconstruction + weights.adversarial * report.adversarial;
  report.tiles = tiles;
  if (!std::isfinite(report.loss) || !std::isfinite(report.gradient_norm)) {
    throw Error(ErrorCode::non_finite, "step " + std::to_string(report.step) + ": loss " +
                                           std::to_string(report.loss) + ", gradient norm " +
                                           std::to_string(report.gradient_norm));
  }
  report.rank = effective_rank(terms.z);
  return report;
}

Trainer::Trainer(const TrainOptions& options) : state_(std::make_unique<State>(options)) {}
Trainer::~Trainer() = default;

StepReport Trainer::step(const at::Tensor& tiles, const std::optional<at::Tensor>& real_lab,
                         const std::optional<at::Tensor>& group, const std::optional<at::Tensor>& stain,
                         StepStamps* stamps) {
  State& run = *state_;
  StageClock clock(stamps ? stamps->data() : nullptr, run.device);
  check_batch(run.options, tiles, real_lab, group, stain);
  const std::int64_t step = steps_done(), count = tiles.size(0);
  StatisticsGuard statistics(statistics_of(run.networks));

  Labels labels;
  if (real_lab) labels.real_lab = to_device(*real_lab, run.device);
  if (group) labels.group = to_device(*group, run.device);
  const at::Tensor stains = stain.value_or(at::Tensor());
  const at::Tensor pixels = to_device(tiles, run.device);
  clock.mark();
  Views views = run.manifold.render(pixels, stains, run.options.views, static_cast<std::uint64_t>(step));

  const at::Tensor decoded_view = run.draw_decoded_views(count, step);
  run.place_views(views, decoded_view, step);
  clock.mark();

  const Terms terms = evaluate(run.options, run.networks, views, labels, to_device(decoded_view, run.device),
                               run.schedule.adversary_ramp(step), run.precision);
  clock.mark();
  run.optimiser.clear_gradients();
  terms.objective.backward();
  clock.mark();

  const StepReport report =
      run.report(terms, step, count, run.manifold.chance(stains));  // throws before anything moves
  const double limit = run.options.clip_norm;
  const double scale = limit > 0.0 && report.gradient_norm > limit ? limit / report.gradient_norm : 1.0;
  run.optimiser.step(report.learning_rate, step + 1, scale);
  statistics.keep();
  run.steps.fill_(step + 1);
  clock.mark();
  return report;
}

std::vector<NamedTensor> Trainer::state() const {
  std::vector<NamedTensor> list;
  append_weights(list, "encoder.", *state_->networks.encoder);
  append_weights(list, "decoder.", *state_->networks.decoder);
  append_weights(list, "discriminator.", *state_->networks.discriminator);
  state_->optimiser.append_state(list);
  list.push_back({"trainer.step", state_->steps});
  return list;
}

void Trainer::load_state(const std::vector<NamedTensor>& state) {
  const std::vector<NamedTensor> own = this->state();
  if (state.size() != own.size()) {
    throw Error(ErrorCode::weights, "the state must hold " + std::to_string(own.size()) + " tensors, got " +
                                        std::to_string(state.size()));
  }
  copy_weights(own, state);
}

std::int64_t Trainer::steps_done() const { return state_->steps.item<std::int64_t>(); }
const TrainOptions& Trainer::options() const { return state_->options; }
std::string Trainer::device() const { return state_->device.str(); }
std::string Trainer::precision() const { return precision_name(state_->precision); }

}  // namespace stainfold
