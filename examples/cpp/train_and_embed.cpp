// Trains a small encoder for a few steps on phantom tissue of one lab, then embeds the same tissue as two
// labs stain it.
#include <ATen/core/Tensor.h>
#include <ATen/ops/cosine_similarity.h>
#include <ATen/ops/stack.h>
#include <stainfold/embedder.h>
#include <stainfold/error.h>
#include <stainfold/phantom.h>
#include <stainfold/trainer.h>

#include <cstdio>
#include <vector>

namespace {

constexpr std::int64_t tile_size = 64;

// [count,tile_size,tile_size,3] uint8
at::Tensor tiles_of_lab(std::int64_t lab, std::int64_t count) {
  std::vector<at::Tensor> tiles;
  for (std::int64_t i = 0; i < count; ++i) {
    const at::Tensor stains = stainfold::phantom_concentrations(i % 6, tile_size, 0.5, i);
    tiles.push_back(stainfold::phantom_render(stains, stainfold::phantom_lab(lab), i));
  }
  return at::stack(tiles);
}

}  // namespace

int main() {
  try {
    stainfold::TrainOptions options;
    options.model.tile_size = tile_size;
    options.total_steps = 8;
    options.warmup_steps = 2;
    options.device = "cpu";
    stainfold::Trainer trainer(options);
    const at::Tensor source = tiles_of_lab(0, 16);
    for (int step = 0; step < options.total_steps; ++step) {
      const stainfold::StepReport report = trainer.step(source);
      std::printf("step %lld  loss %.3f  compaction ratio %.3f\n", static_cast<long long>(report.step),
                  report.loss, report.scatter);
    }

    const stainfold::Embedder embedder({.model = options.model, .device = "cpu"}, trainer.state());
    const at::Tensor here = embedder.embed(source);
    const at::Tensor elsewhere = embedder.embed(tiles_of_lab(1, 16));
    const double similarity = at::cosine_similarity(here, elsewhere, 1).mean().item<double>();
    std::printf("%lld x %lld; the same tissue from another lab: cosine similarity %.3f\n",
                static_cast<long long>(here.size(0)), static_cast<long long>(here.size(1)), similarity);
    return 0;
  } catch (const stainfold::Error& error) {
    std::fprintf(stderr, "stainfold: %s\n", error.what());
    return 1;
  }
}
