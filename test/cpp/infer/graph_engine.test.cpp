// Batches for a CUDA device: their sizes anywhere, the engine itself where there is one.
#include "infer/graph_engine.h"

#include <ATen/ATen.h>
#include <torch/cuda.h>

#include <thread>

#include "models/seed.h"
#include "models/weights.h"
#include "stainfold/embedder.h"
#include "testing.h"

using namespace stainfold;
using namespace stainfold::testing;

TEST_CASE("a batch is padded to the next power of two, and never beyond the largest") {
  CHECK(batch_bucket(1, 256) == 1);
  CHECK(batch_bucket(2, 256) == 2);
  CHECK(batch_bucket(3, 256) == 4);
  CHECK(batch_bucket(64, 256) == 64);
  CHECK(batch_bucket(65, 256) == 128);
  CHECK(batch_bucket(256, 256) == 256);
  for (std::int64_t largest : {1, 4, 64}) {
    for (std::int64_t count = 1; count <= largest; ++count) {
      const std::int64_t bucket = batch_bucket(count, largest);
      CHECK(bucket >= count);
      CHECK(bucket <= largest);
      CHECK(bucket < 2 * count);
    }
  }
}

TEST_CASE("the largest batch follows memory, tile and network") {
  const std::int64_t gib = std::int64_t{1} << 30;
  const ModelConfig base{"base", 512, 224}, large{"base", 512, 1024}, tiny{"tiny", 128, 224};
  CHECK(largest_batch(base, 2, 70 * gib) == 256);
  CHECK(largest_batch(large, 2, 70 * gib) == 16);  // 64 MiB of pixels
  CHECK(largest_batch(base, 2, gib / 4) < 256);
  CHECK(largest_batch(base, 4, gib) <= largest_batch(base, 2, gib));
  CHECK(largest_batch(tiny, 2, gib) >= largest_batch(base, 2, gib));
  CHECK(largest_batch(base, 2, 0) == 1);
}

TEST_CASE(
    "an embedder on CUDA gives what one on the CPU gives, for every size of batch and from several threads") {
  if (!torch::cuda::is_available()) {
    MESSAGE("skipped: no CUDA device");
    return;
  }
  constexpr std::int64_t tile = 64, latent = 48;
  const EmbedderOptions here{{"tiny", latent, tile}, "cpu", "fp32"};
  EmbedderOptions there = here;
  there.device = "cuda";
  const Embedder cpu(here, {}, 5), cuda(there, {}, 5);
  there.precision = "bf16";
  const Embedder rough(there, {}, 5);
  at::manual_seed(2);
  const at::Tensor tiles = at::randint(256, {700, tile, tile, 3}, at::kByte);
  const at::Tensor wanted = cpu.embed(tiles);
  for (const std::int64_t count : {1, 2, 3, 64, 65, 255, 256, 257, 700, 1}) {
    CAPTURE(count);
    const at::Tensor some = tiles.narrow(0, 700 - count, count),
                     expected = wanted.narrow(0, 700 - count, count);
    CHECK(relative_error(cuda.embed(some), expected) < 1e-4);
    CHECK(at::cosine_similarity(rough.embed(some), expected, 1).min().item<double>() > 0.999);
  }
  std::vector<std::thread> callers;
  std::vector<double> errors(4, 1.0);
  for (std::size_t i = 0; i < errors.size(); ++i) {
    callers.emplace_back([&, i] {
      const std::int64_t first = static_cast<std::int64_t>(i) * 150;
      errors[i] = relative_error(cuda.embed(tiles.narrow(0, first, 130)), wanted.narrow(0, first, 130));
    });
  }
  for (std::thread& caller : callers) caller.join();
  for (const double error : errors) CHECK(error < 1e-4);
}
