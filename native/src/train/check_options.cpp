#include "train/check_options.h"

#include <cmath>
#include <sstream>

#include "core/checks.h"

namespace stainfold {
namespace {

template <typename Number>
void require(bool condition, const char* rule, Number got) {
  if (condition) return;
  std::ostringstream text;
  text << rule << ", got " << got;
  throw Error(ErrorCode::option, text.str());
}

// NaN and infinity compare false or escape a bound: they fail here.
bool at_least_zero(double value) { return std::isfinite(value) && value >= 0.0; }
bool positive(double value) { return std::isfinite(value) && value > 0.0; }

void check_labels(const char* name, const at::Tensor& labels, std::int64_t tiles) {
  check_dtype(labels, name, {at::kLong});
  check_shape(labels, name, {tiles});
}

}  // namespace

void check(const TrainOptions& options) {
  check(options.model);
  const LossWeights& weights = options.weights;
  require(at_least_zero(weights.compaction), "weights.compaction must be >= 0", weights.compaction);
  require(at_least_zero(weights.scatter), "weights.scatter must be >= 0", weights.scatter);
  require(at_least_zero(weights.reconstruction), "weights.reconstruction must be >= 0",
          weights.reconstruction);
  require(at_least_zero(weights.adversarial), "weights.adversarial must be >= 0", weights.adversarial);
  check_option(weights.compaction + weights.scatter + weights.reconstruction + weights.adversarial > 0.0,
               "one of the loss weights must be > 0, got all 0");
  require(positive(options.temperature), "temperature must be > 0", options.temperature);
  require(at_least_zero(options.lambda), "lambda must be >= 0", options.lambda);
  require(options.views >= 2 && options.views <= 64, "views must be in [2, 64]", options.views);
  require(options.view_crop > 0 && options.view_crop <= 1, "view crop must be in (0, 1]", options.view_crop);
  require(options.real_labs >= 0, "real labs must be >= 0", options.real_labs);
  require(options.total_steps >= 1, "total steps must be >= 1", options.total_steps);
  require(options.warmup_steps >= 0 && options.warmup_steps <= options.total_steps,
          "warm-up steps must be in [0, total steps]", options.warmup_steps);
  require(positive(options.learning_rate), "learning rate must be > 0", options.learning_rate);
  require(at_least_zero(options.weight_decay), "weight decay must be >= 0", options.weight_decay);
  require(at_least_zero(options.clip_norm), "clip norm must be >= 0", options.clip_norm);
  check_option(options.precision != "fp16",
               "precision fp16 is for inference: its gradients underflow; got fp16");
}

void check_batch(const TrainOptions& options, const at::Tensor& tiles,
                 const std::optional<at::Tensor>& real_lab, const std::optional<at::Tensor>& group,
                 const std::optional<at::Tensor>& stain) {
  check_tiles(tiles);
  check_shape(tiles, "tiles", {-1, options.model.tile_size, options.model.tile_size, 3});
  const std::int64_t count = tiles.size(0);
  if (count < 2)
    throw Error(ErrorCode::shape, "a batch must hold at least 2 tiles, got " + std::to_string(count));
  if (group) check_labels("group", *group, count);
  check_option(stain.has_value() == !options.further_stains.empty(),
               stain ? "the batch has stains, but the run was made for one"
                     : "this run has several stains, but the batch does not say which tile has which");
  if (stain) check_labels("stain", *stain, count);
  check_option(real_lab.has_value() == (options.real_labs > 0),
               options.real_labs > 0 ? "this run has real labs, but the batch came without"
                                     : "the batch has real labs, but the run was made without");
  if (!real_lab) return;
  check_labels("real lab", *real_lab, count);
  const std::int64_t low = real_lab->min().item<std::int64_t>(), high = real_lab->max().item<std::int64_t>();
  require(low >= 0, "real labs must be >= 0", low);
  require(high < options.real_labs, "real labs must be below the number of real labs of the run", high);
}

}  // namespace stainfold
