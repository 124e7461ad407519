#include "train/objective.h"

#include <ATen/ops/arange.h>
#include <ATen/ops/cross_entropy_loss.h>
#include <ATen/ops/logical_or.h>
#include <ATen/ops/zeros.h>

#include "stainfold/losses.h"
#include "train/autocast.h"

namespace stainfold {
namespace {

at::Tensor compaction_of(const at::Tensor& z, std::int64_t tiles, const TrainOptions& options,
                         const Labels& labels) {
  if (options.compaction == CompactionKind::contrastive) {
    return compaction_loss(z, tiles, options.temperature, labels.group);
  }
  at::Tensor sum;  // over neighbouring views
  for (std::int64_t k = 0; k + 1 < options.views; ++k) {
    const at::Tensor pair = cross_correlation_loss(z.narrow(0, k * tiles, tiles),
                                                   z.narrow(0, (k + 1) * tiles, tiles), options.lambda);
    sum = sum.defined() ? sum + pair : pair;
  }
  return sum / static_cast<double>(options.views - 1);
}

// A lab is told from those of its own stain: which stain a tile has is content, and stays in z.
at::Tensor among_own_labs(const at::Tensor& logits, const Views& views) {  // [M,G] -> [M,G]
  if (!views.lab_range.defined()) return logits;
  const at::Tensor label = at::arange(logits.size(1), views.lab.options()).unsqueeze(0);
  const at::Tensor foreign = at::logical_or(label < views.lab_range.narrow(1, 0, 1),  // one column each
                                            label >= views.lab_range.narrow(1, 1, 1));
  return logits.masked_fill(foreign, -1e4);
}

// Cross-entropy of the virtual labs; with real labs, the mean of both heads'.
at::Tensor adversarial_of(const Discriminator::Logits& logits, const at::Tensor& lab,
                          const TrainOptions& options, const Labels& labels) {
  const at::Tensor of_virtual = at::cross_entropy_loss(logits.lab, lab);
  if (!labels.real_lab) return of_virtual;
  const at::Tensor real_lab = labels.real_lab->repeat({options.views});  // view-major, as the rows of z
  return 0.5 * (of_virtual + at::cross_entropy_loss(logits.real, real_lab));
}

}  // namespace

Terms evaluate(const TrainOptions& options, Networks& networks, const Views& views, const Labels& labels,
               const at::Tensor& decoded_view, const at::Tensor& adversary_ramp, at::ScalarType precision) {
  const LossWeights& weights = options.weights;
  const std::int64_t tiles = views.source.size(0);
  const at::DeviceType device = views.source.device().type();
  const auto in_precision = [&](auto&& forward) {
    const AutocastScope scope(device, precision);
    return forward().to(at::kFloat);
  };

  const at::Tensor z = in_precision([&] { return networks.encoder->forward(views.pixels); });
  const at::Tensor measured = z.detach();
  const auto acting = [&](double weight) { return weight > 0.0 ? z : measured; };

  const at::Tensor compaction = compaction_of(acting(weights.compaction), tiles, options, labels);
  const at::Tensor scatter = scatter_ratio(acting(weights.scatter), tiles);

  const at::Tensor judged = reverse_gradient(z, adversary_ramp * weights.adversarial);
  Discriminator::Logits logits = networks.discriminator->forward(judged);
  logits.lab = among_own_labs(logits.lab, views);
  const at::Tensor adversarial = adversarial_of(logits, views.lab, options, labels);
  at::Tensor objective = adversarial + weights.compaction * compaction + weights.scatter * scatter;

  at::Tensor reconstruction = at::zeros({}, z.options());
  if (weights.reconstruction > 0.0) {
    // The source is what every view must decode to; one view a tile says so at a K-th of the cost.
    const at::Tensor rows = decoded_view * tiles + at::arange(tiles, decoded_view.options());
    const at::Tensor decoded =
        in_precision([&] { return networks.decoder->forward(z.index_select(0, rows)); });
    reconstruction = reconstruction_loss(decoded, views.source);
    objective = objective + weights.reconstruction * reconstruction;
  }

  const at::Tensor accuracy = logits.lab.detach().argmax(1).eq(views.lab).to(at::kFloat).mean();
  return {objective,
          compaction.detach(),
          scatter.detach(),
          reconstruction.detach(),
          adversarial.detach(),
          accuracy,
          measured};
}

}  // namespace stainfold
