#include <limits>

#include "testing.h"
#include "train/fixtures.h"

using namespace stainfold;
using namespace stainfold::testing;

namespace {

using Change = std::function<void(TrainOptions&)>;

ErrorCode code_with(const Change& change) {
  TrainOptions options = small_options();
  change(options);
  return code_of([&] { Trainer trainer(options); });
}

}  // namespace

TEST_CASE("an option outside its range is refused before anything is built") {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const std::vector<Change> changes{
      [](auto& o) { o.model.size = "huge"; },    [](auto& o) { o.model.tile_size = 33; },
      [](auto& o) { o.model.latent = 0; },       [](auto& o) { o.weights.compaction = -1; },
      [](auto& o) { o.weights = {0, 0, 0, 0}; }, [=](auto& o) { o.weights.scatter = nan; },
      [](auto& o) { o.temperature = 0; },        [=](auto& o) { o.temperature = nan; },
      [](auto& o) { o.lambda = -0.1; },          [](auto& o) { o.views = 1; },
      [](auto& o) { o.real_labs = -1; },         [](auto& o) { o.total_steps = 0; },
      [](auto& o) { o.warmup_steps = 41; },      [](auto& o) { o.warmup_steps = -1; },
      [](auto& o) { o.learning_rate = 0; },      [](auto& o) { o.weight_decay = -0.1; },
      [](auto& o) { o.clip_norm = -1; },         [](auto& o) { o.precision = "fp16"; },
      [](auto& o) { o.precision = "double"; },
  };
  for (std::size_t i = 0; i < changes.size(); ++i) {
    CAPTURE(i);
    CHECK(code_with(changes[i]) == ErrorCode::option);
  }
  CHECK(code_with([](auto& o) { o.device = "tpu"; }) == ErrorCode::device);
  CHECK_NOTHROW(Trainer{small_options()});
}

TEST_CASE("a batch that does not fit is refused") {
  Trainer trainer(small_options());
  const at::Tensor tiles = synthetic_tiles(4, 32, 1);
  const at::Tensor labels = at::zeros({4}, at::kLong);
  CHECK(code_of([&] { trainer.step(tiles.to(at::kFloat)); }) == ErrorCode::dtype);
  CHECK(code_of([&] { trainer.step(synthetic_tiles(4, 64, 1)); }) == ErrorCode::shape);
  CHECK(code_of([&] { trainer.step(tiles.narrow(0, 0, 1)); }) == ErrorCode::shape);
  CHECK(code_of([&] { trainer.step(tiles, labels); }) == ErrorCode::option);  // the run has no real labs
  CHECK(code_of([&] { trainer.step(tiles, {}, labels.narrow(0, 0, 3)); }) == ErrorCode::shape);
  CHECK(code_of([&] { trainer.step(tiles, {}, labels.to(at::kInt)); }) == ErrorCode::dtype);
  CHECK(trainer.steps_done() == 0);

  TrainOptions options = small_options();
  options.real_labs = 2;
  Trainer labelled(options);
  CHECK(code_of([&] { labelled.step(tiles); }) == ErrorCode::option);
  CHECK(code_of([&] { labelled.step(tiles, labels + 2); }) == ErrorCode::option);
  CHECK(code_of([&] { labelled.step(tiles, labels - 1); }) == ErrorCode::option);
  CHECK_NOTHROW(labelled.step(tiles, labels));
}
