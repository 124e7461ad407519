#include <napi.h>

#include <algorithm>
#include <memory>
#include <vector>

#include "napi/convert.h"
#include "napi/exports.h"
#include "napi/pending_steps.h"
#include "napi/resident.h"
#include "napi/stamps.h"
#include "napi/trained_state.h"
#include "stainfold/trainer.h"

namespace stainfold::addon {
namespace {

Napi::Value report_to_js(Napi::Env env, const StepReport& report) {
  Napi::Object result = Napi::Object::New(env);
  result["step"] = static_cast<double>(report.step);
  result["learningRate"] = report.learning_rate;
  result["loss"] = report.loss;
  result["compaction"] = report.compaction;
  result["scatter"] = report.scatter;
  result["reconstruction"] = report.reconstruction;
  result["adversarial"] = report.adversarial;
  result["discriminatorAccuracy"] = report.discriminator_accuracy;
  result["discriminatorChance"] = report.discriminator_chance;
  result["gradientNorm"] = report.gradient_norm;
  result["rank"] = report.rank;
  result["tiles"] = static_cast<double>(report.tiles);
  return result;
}

class TrainerWrap : public Napi::ObjectWrap<TrainerWrap> {
 public:
  static Napi::Function define(Napi::Env env) {
    return DefineClass(
        env, "Trainer",
        {InstanceMethod<&TrainerWrap::open>("open"), InstanceMethod<&TrainerWrap::step>("step"),
         InstanceMethod<&TrainerWrap::layout>("layout"),
         InstanceMethod<&TrainerWrap::export_state>("exportState"),
         InstanceMethod<&TrainerWrap::import_state>("importState"),
         InstanceMethod<&TrainerWrap::dispose>("dispose")});
  }

  explicit TrainerWrap(const Napi::CallbackInfo& info)
      : ObjectWrap(info),
        options_(guard(info.Env(), [&] { return train_options(Fields(info[0], "options")); })),
        trainer_(info.Env(), "trainer") {}

  void Finalize(Napi::Env env) override { trainer_.collected(env); }

 private:
  Napi::Value open(const Napi::CallbackInfo& info) { return open_trained(info, trainer_, options_, layout_); }

  Napi::Value step(const Napi::CallbackInfo& info) {
    return trainer_.method(info.Env(), [&] {
      const std::int64_t count = to_integer(info[1], "count"), side = options_.model.tile_size;
      const Borrowed pixels = borrow(info[0], "pixels", at::kByte, {count, side, side, 3});
      const auto real_lab = borrow_optional(info[2], "realLab", at::kInt, {count});
      const auto group = borrow_optional(info[3], "group", at::kInt, {count});
      const auto stain = borrow_optional(info[4], "stain", at::kInt, {count});
      const BorrowedStamps clock = borrow_stamps(info[5], std::tuple_size_v<StepStamps>, pixels.array);
      const auto labels = [](const std::optional<Borrowed>& given) {
        return given ? std::optional<at::Tensor>(given->tensor) : std::nullopt;
      };
      const StepBatch batch{pixels.tensor, labels(real_lab), labels(group), labels(stain)};
      // A step that is timed stage by stage goes by itself.
      double* const times = clock.stamps.times;
      const std::uint64_t ticket = times ? pending_->bar() : pending_->add(batch);
      return trainer_.call(
          info,
          {pixels.array, real_lab ? real_lab->array : pixels.array, group ? group->array : pixels.array,
           stain ? stain->array : pixels.array, clock.array},
          [batch, ticket, times, pending = pending_](Trainer& trainer) {
            if (!times) return pending->run(trainer, ticket, batch);
            pending->reached(ticket);
            const StepBatch given = PendingSteps::widened(batch);
            StepStamps stamps;
            const StepReport report =
                trainer.step(given.tiles, given.real_lab, given.group, given.stain, &stamps);
            std::copy(stamps.begin(), stamps.end(), times);
            return report;
          },
          report_to_js);
    });
  }

  Napi::Value layout(const Napi::CallbackInfo& info) { return layout_of(info, trainer_, "trainer", layout_); }
  Napi::Value export_state(const Napi::CallbackInfo& info) {
    pending_->bar();
    return addon::export_state(info, trainer_);
  }
  Napi::Value import_state(const Napi::CallbackInfo& info) {
    pending_->bar();
    return addon::import_state(info, trainer_);
  }
  Napi::Value dispose(const Napi::CallbackInfo& info) {
    pending_->clear();  // before the calls let go of their batches
    layout_ = {};
    return trainer_.dispose(info);
  }

  TrainOptions options_;
  Resident<Trainer> trainer_;
  std::shared_ptr<PendingSteps> pending_ = std::make_shared<PendingSteps>();
  std::vector<TensorSpec> layout_;  // empty until open() is settled
};

}  // namespace

void export_trainer(Napi::Env env, Napi::Object exports) { exports["Trainer"] = TrainerWrap::define(env); }

}  // namespace stainfold::addon
