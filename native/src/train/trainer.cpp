#include "stainfold/trainer.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/isfinite.h>
#include <ATen/ops/maximum.h>
#include <ATen/ops/randint.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/where.h>
#include <ATen/ops/zeros.h>

#include <array>
#include <cmath>
#include <deque>

#include "core/checks.h"
#include "core/kept_memory.h"
#include "core/upload.h"
#include "models/precision.h"
#include "models/seed.h"
#include "models/weights.h"
#include "stain/view_geometry.h"
#include "stainfold/device.h"
#include "train/adamw.h"
#include "train/check_options.h"
#include "train/lanes.h"
#include "train/objective.h"
#include "train/rank.h"
#include "train/schedule.h"
#include "train/stage_clock.h"
#include "train/statistics_guard.h"
#include "train/step_graph.h"
#include "train/step_inputs.h"

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

// Kernels in the order of memory that the images have: on a CPU each convolution, forward and backward, would
// otherwise reorder them, and their gradients.
void order_as_images(torch::nn::Module& module) {
  const at::NoGradGuard no_grad;
  for (at::Tensor& parameter : module.parameters()) {
    if (parameter.dim() == 4) parameter.set_data(parameter.contiguous(at::MemoryFormat::ChannelsLast));
  }
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
  if (device.is_cpu()) {
    order_as_images(*networks.encoder);
    order_as_images(*networks.decoder);
  }
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

// Pinned where the device can write into it while the host goes on.
at::Tensor on_its_way_home(const at::Tensor& value) {
  at::Tensor host = at::empty(value.sizes(), value.options().device(at::kCPU).pinned_memory(value.is_cuda()));
  return host.copy_(value, /*non_blocking=*/true);
}

}  // namespace

struct Trainer::State {
  // A step that has begun. Its tensors are read by the device until `done`.
  struct UnderWay {
    UnderWay(const Networks& networks, std::int64_t number, std::int64_t count)
        : statistics(statistics_of(networks)), step(number), tiles(count) {}

    StatisticsGuard statistics;
    StepInputs inputs;
    StepOutputs outputs;
    at::Tensor numbers, z;  // the outputs, on the host
    Milestone done;
    std::int64_t step;  // steps before it
    std::int64_t tiles;
    double chance = 0;
  };

  explicit State(const TrainOptions& asked)
      : options(checked(asked)),
        device(resolve_device(asked.device)),
        precision(resolve_precision(asked.precision, device)),
        schedule{asked.learning_rate, asked.warmup_steps, asked.total_steps},
        manifold(stains_of(asked), asked.seed),
        lanes(device),
        networks(memory.keeping([&] { return build(asked, manifold.labs(), device); })),
        optimiser(memory.keeping([&] { return AdamW(parameters_of(networks), asked.weight_decay); })),
        failed(at::zeros({}, at::TensorOptions(device))),
        graph(device),
        steps(at::zeros({1}, at::kLong)) {
    settle_cuda(device);
    settle();
  }
  ~State() { lanes.finish(); }

  // What was done outside the lanes is there for them.
  void settle() const {
    if (device.is_cuda()) c10::impl::VirtualGuardImpl(device.type()).synchronizeDevice(device.index());
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

  StepInputs arrive(const StepBatch& batch, std::int64_t step, StageClock& clock) const;
  void compute(const StepInputs& inputs, const StepOutputs& outputs, StageClock& clock);
  void begin(const StepBatch& batch, StageClock& clock);
  bool fits(const StepInputs& inputs);
  StepReport report(const UnderWay& done) const;
  void undo();

  const KeptMemory memory;  // of what a step computes, for the next one
  const TrainOptions options;
  const at::Device device;
  const at::ScalarType precision;
  const Schedule schedule;
  const JointManifold manifold;
  const Lanes lanes;
  Networks networks;
  AdamW optimiser;
  at::Tensor failed;  // float32 scalar: 1 from a step that is not finite on, until the host has heard of it
  StepGraph graph;
  FixedStep fixed;
  int strangers = 0;                                // batches of another shape in a row
  std::deque<std::unique_ptr<UnderWay>> under_way;  // the earliest first
  at::Tensor steps;                                 // int64 [1], on the CPU: steps begun
};

// The batch on the device, rendered.
StepInputs Trainer::State::arrive(const StepBatch& batch, std::int64_t step, StageClock& clock) const {
  StepInputs inputs;
  if (batch.real_lab) inputs.labels.real_lab = upload(*batch.real_lab, device);
  if (batch.group) inputs.labels.group = upload(*batch.group, device);
  const at::Tensor pixels = upload(batch.tiles, device);
  clock.mark();
  inputs.views = manifold.render(pixels, batch.stain.value_or(at::Tensor()), options.views,
                                 static_cast<std::uint64_t>(step));
  const at::Tensor decoded_view = draw_decoded_views(batch.tiles.size(0), step);
  place_views(inputs.views, decoded_view, step);
  inputs.decoded_view = upload(decoded_view, device);
  inputs.schedule = upload(
      at::tensor({schedule.learning_rate(step), schedule.adversary_ramp(step), static_cast<double>(step + 1)},
                 at::kDouble),
      device);
  clock.mark();
  return inputs;
}

// Forward, backward, clipping and update. The host is told nothing and asked for nothing, so that a GPU can
// be given the next step meanwhile, and the whole of it recorded.
void Trainer::State::compute(const StepInputs& inputs, const StepOutputs& outputs, StageClock& clock) {
  optimiser.clear_gradients();
  const Terms terms = evaluate(options, networks, inputs.views, inputs.labels, inputs.decoded_view,
                               inputs.schedule.select(0, 1), precision);
  clock.mark();
  terms.objective.backward();
  clock.mark();

  const at::NoGradGuard no_grad;
  const at::Tensor norm = optimiser.gradient_norm();
  outputs.numbers.copy_(at::stack({terms.compaction, terms.scatter, terms.reconstruction, terms.adversarial,
                                   terms.discriminator_accuracy, norm}));
  outputs.z.copy_(terms.z.narrow(0, 0, outputs.z.size(0)));
  failed.copy_(at::maximum(failed, outputs.numbers.isfinite().all().logical_not().to(at::kFloat)));
  AdamW::Update update{inputs.schedule.select(0, 0), inputs.schedule.select(0, 2), {}, failed};
  if (options.clip_norm > 0.0) {
    const at::Tensor length = norm.to(at::kDouble);
    update.scale = at::where(length > options.clip_norm, options.clip_norm / length, 1.0).to(at::kFloat);
  }
  optimiser.step(update);
}

// Whether the inputs have been copied to where the recording finds them. A run may begin with an odd batch:
// what comes three times in a row is what is recorded from then on.
bool Trainer::State::fits(const StepInputs& inputs) {
  const bool taken = fixed.take(inputs, options.model.latent);
  strangers = taken ? 0 : strangers + 1;
  if (strangers < 3) return taken;
  graph.forget();
  fixed = FixedStep();
  strangers = 0;
  return fixed.take(inputs, options.model.latent);
}

void Trainer::State::begin(const StepBatch& batch, StageClock& clock) {
  const KeptMemory::Scope kept(memory);
  check_batch(options, batch.tiles, batch.real_lab, batch.group, batch.stain);
  const std::int64_t step = steps.item<std::int64_t>();
  try {
    Milestone arrived;
    StepInputs inputs;
    {
      const OnLane scope(lanes.arrival);
      inputs = arrive(batch, step, clock);
      arrived.set(lanes.arrival);
    }
    const OnLane scope(lanes.compute);
    arrived.hold(lanes.compute);
    auto begun = std::make_unique<UnderWay>(networks, step, batch.tiles.size(0));
    begun->inputs = std::move(inputs);
    begun->chance = manifold.chance(batch.stain.value_or(at::Tensor()));
    // A clock that is read wants every stage by itself, and a recording has none.
    if (options.graph && clock.silent() && fits(begun->inputs)) {
      begun->outputs = fixed.outputs();
      graph.run([&] { compute(fixed.inputs(), fixed.outputs(), clock); });
    } else {
      begun->outputs = StepOutputs(begun->inputs, options.model.latent);
      compute(begun->inputs, begun->outputs, clock);
    }
    begun->numbers = on_its_way_home(begun->outputs.numbers);
    begun->z = on_its_way_home(begun->outputs.z);
    begun->done.set(lanes.compute);
    under_way.push_back(std::move(begun));
  } catch (...) {
    lanes.finish();  // nobody reads any more what is freed now
    throw;
  }
  steps.fill_(step + 1);
}

// The steps under way have left parameters and optimiser as they were, the first by what it is and the others
// by following it; their statistics have moved, and go back in reverse order.
void Trainer::State::undo() {
  lanes.finish();
  {
    const OnLane scope(lanes.compute);
    steps.fill_(under_way.front()->step);
    while (!under_way.empty()) under_way.pop_back();
    failed.zero_();
  }
  lanes.finish();
}

// Of a step that is done. Throws where it is not finite.
StepReport Trainer::State::report(const UnderWay& done) const {
  const at::Tensor numbers = done.numbers.to(at::kDouble);
  const double* const value = numbers.const_data_ptr<double>();
  StepReport report{};
  report.step = done.step + 1;
  report.learning_rate = schedule.learning_rate(done.step);
  report.compaction = value[0];
  report.scatter = value[1];
  report.reconstruction = value[2];
  report.adversarial = value[3];
  report.discriminator_accuracy = value[4];
  report.discriminator_chance = done.chance;
  report.gradient_norm = value[5];
  const LossWeights& weights = options.weights;
  report.loss = weights.compaction * report.compaction + weights.scatter * report.scatter +
                weights.reconstruction * report.reconstruction + weights.adversarial * report.adversarial;
  report.tiles = done.tiles;
  if (!numbers.isfinite().all().item<bool>()) {
    throw Error(ErrorCode::non_finite, "step " + std::to_string(report.step) + ": loss " +
                                           std::to_string(report.loss) + ", gradient norm " +
                                           std::to_string(report.gradient_norm));
  }
  report.rank = effective_rank(done.z);
  return report;
}

Trainer::Trainer(const TrainOptions& options) : state_(std::make_unique<State>(options)) {}
Trainer::~Trainer() = default;

StepReport Trainer::step(const at::Tensor& tiles, const std::optional<at::Tensor>& real_lab,
                         const std::optional<at::Tensor>& group, const std::optional<at::Tensor>& stain,
                         StepStamps* stamps) {
  check_none_under_way();
  StageClock clock(stamps ? stamps->data() : nullptr, state_->device);
  state_->begin({tiles, real_lab, group, stain}, clock);
  const StepReport report = collect();
  clock.mark();
  return report;
}

void Trainer::begin(const StepBatch& batch) {
  if (under_way() >= kMostUnderWay) {
    throw Error(ErrorCode::state, "at most " + std::to_string(kMostUnderWay) + " steps may be under way");
  }
  StageClock silent(nullptr, state_->device);
  state_->begin(batch, silent);
}

StepReport Trainer::collect() {
  State& run = *state_;
  if (run.under_way.empty()) throw Error(ErrorCode::state, "no step is under way");
  State::UnderWay& first = *run.under_way.front();
  StepReport report;
  try {
    first.done.wait();
    report = run.report(first);
  } catch (...) {
    run.undo();
    throw;
  }
  first.statistics.keep();
  run.under_way.pop_front();
  return report;
}

std::int64_t Trainer::under_way() const { return static_cast<std::int64_t>(state_->under_way.size()); }
bool Trainer::runs_ahead() const { return state_->lanes.compute.has_value(); }
bool Trainer::recorded() const { return state_->graph.recorded(); }

void Trainer::check_none_under_way() const {
  if (under_way() > 0) throw Error(ErrorCode::state, "a step is under way: collect() it first");
}

std::vector<NamedTensor> Trainer::state() const {
  check_none_under_way();
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
  state_->settle();
}

std::int64_t Trainer::steps_done() const { return state_->steps.item<std::int64_t>(); }
const TrainOptions& Trainer::options() const { return state_->options; }
std::string Trainer::device() const { return state_->device.str(); }
std::string Trainer::precision() const { return precision_name(state_->precision); }

}  // namespace stainfold
