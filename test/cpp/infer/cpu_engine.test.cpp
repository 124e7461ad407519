#include "infer/cpu/engine.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <thread>
#include <vector>

#include "models/weights.h"
#include "testing.h"

using namespace stainfold;
using namespace stainfold::testing;

namespace {

// Sums in another order and Winograd's transforms, over some 30 layers of float32. Measured: 1e-6.
constexpr double kRounding = 1e-5;

// An encoder whose norms have seen data, so that folding has something to get wrong, and a twin with norms
// folded, as the engine takes it.
struct Pair {
  ModelConfig config;
  std::shared_ptr<Encoder> plain, folded;

  explicit Pair(const ModelConfig& asked) : config(asked) {
    at::manual_seed(3);
    plain = std::make_shared<Encoder>(config);
    folded = std::make_shared<Encoder>(config);
    initialise(*plain, 7);
    const at::NoGradGuard no_grad;
    // Biases and statistics off their neutral values, without the cost of training steps.
    for (auto& item : plain->named_parameters())
      if (item.value().dim() == 1) item.value().add_(at::randn_like(item.value()), 0.1);
    for (auto& item : plain->named_buffers()) item.value().add_(at::rand_like(item.value()), 0.2);
    std::vector<NamedTensor> from, to;
    append_weights(from, "", *plain);
    append_weights(to, "", *folded);
    copy_weights(to, from);
    plain->eval();
    folded->eval();
    fold_norms(*folded);
  }

  at::Tensor tiles(std::int64_t count) const {
    return at::randint(256, {count, config.tile_size, config.tile_size, 3}, at::kByte);
  }

  // In float64, norms and all.
  at::Tensor expected(const at::Tensor& tiles) const {
    const at::NoGradGuard no_grad;
    plain->to(at::kDouble);
    return plain->forward(tiles.permute({0, 3, 1, 2}).to(at::kDouble).div(255.0));
  }
};

std::vector<const cpu::Kernels*> kernels_here() {
  std::vector<const cpu::Kernels*> list;
  for (const cpu::Kernels* kernels : {cpu::baseline_kernels(), cpu::avx2_kernels(), cpu::avx512_kernels()}) {
    if (kernels != nullptr) list.push_back(kernels);
  }
  return list;
}

// Threads of LibTorch for the calls of one test.
struct Threads {
  explicit Threads(int count) : before(at::get_num_threads()) { at::set_num_threads(count); }
  ~Threads() { at::set_num_threads(before); }
  const int before;
};

}  // namespace

TEST_CASE("the CPU engine computes what the encoder computes, for each size and instruction set") {
  for (const ModelConfig& config :
       {ModelConfig{"tiny", 128, 96}, ModelConfig{"small", 40, 64}, ModelConfig{"base", 512, 64}}) {
    const Pair pair(config);
    const at::Tensor tiles = pair.tiles(3), expected = pair.expected(tiles);
    for (const cpu::Kernels* kernels : kernels_here()) {
      CAPTURE(config.size);
      CAPTURE(kernels->name);
      CHECK(relative_error(cpu::Engine(*pair.folded, config, *kernels).embed(tiles), expected) < kRounding);
    }
  }
}

TEST_CASE("the CPU engine takes every tile size") {
  // One pixel in the last stage; tiles of Winograd's that reach over the edge; whole ones; two groups.
  for (const std::int64_t side : {32, 96, 160, 224, 256}) {
    const Pair pair({"tiny", 24, side});
    const at::Tensor tiles = pair.tiles(3);
    for (const cpu::Kernels* kernels : kernels_here()) {
      CAPTURE(side);
      CAPTURE(kernels->name);
      const cpu::Engine engine(*pair.folded, pair.config, *kernels);
      CHECK(relative_error(engine.embed(tiles), pair.expected(tiles)) < kRounding);
    }
  }
}

TEST_CASE("the CPU engine pads with zeros after normalisation") {
  // Of a tile that is uniform but for one pixel in a corner, the difference to the uniform one.
  const Pair pair({"tiny", 32, 64});
  const cpu::Engine engine(*pair.folded, pair.config);
  const at::Tensor plain = at::full({1, 64, 64, 3}, 200, at::kByte);
  for (const std::int64_t corner : {0, 63}) {
    at::Tensor marked = plain.clone();
    marked[0][corner][corner].zero_();
    const at::Tensor difference = engine.embed(marked) - engine.embed(plain);
    const at::Tensor expected = pair.expected(marked) - pair.expected(plain);
    CHECK(expected.norm().item<double>() > 1e-4);
    CHECK(relative_error(difference, expected) < 1e-2);  // of a small difference of rounded numbers
  }
}

TEST_CASE("one weight that is wrong is seen") {
  const Pair pair({"tiny", 32, 64});
  const at::Tensor tiles = pair.tiles(2), expected = pair.expected(tiles);
  for (const char* name : {"stem.folded_bias", "stage2.0.skip.weight", "stage4.0.conv2.weight",
                           "layout.weight", "head.weight"}) {
    std::vector<NamedTensor> list;
    append_weights(list, "", *pair.folded);
    for (NamedTensor& item : list) {
      if (item.name != name) continue;
      const at::NoGradGuard no_grad;
      item.value.flatten().narrow(0, 5, 1).add_(0.5);
      CAPTURE(name);
      CHECK(relative_error(cpu::Engine(*pair.folded, pair.config).embed(tiles), expected) > 10 * kRounding);
      item.value.flatten().narrow(0, 5, 1).sub_(0.5);
    }
  }
}

TEST_CASE("a tile's embedding is the same bit for bit, whatever its batch mates and the threads") {
  const Pair pair({"tiny", 32, 96});
  const at::Tensor tiles = pair.tiles(37);
  for (const cpu::Kernels* kernels : kernels_here()) {
    const cpu::Engine engine(*pair.folded, pair.config, *kernels);
    const at::Tensor alone = [&] {
      const Threads one(1);
      std::vector<at::Tensor> rows;
      for (std::int64_t i = 0; i < tiles.size(0); ++i) rows.push_back(engine.embed(tiles.narrow(0, i, 1)));
      return at::cat(rows);
    }();
    for (const int threads : {1, 2, 5}) {
      const Threads some(threads);
      CAPTURE(threads);
      for (const std::int64_t count : {1, 2, 3, 4, 5, 6, 7, 8, 9, 37}) {
        CAPTURE(count);
        const std::int64_t first = 37 - count;
        CHECK(at::equal(engine.embed(tiles.narrow(0, first, count)), alone.narrow(0, first, count)));
      }
    }
  }
}

TEST_CASE("several callers at a time") {
  const Pair pair({"tiny", 32, 64});
  const cpu::Engine engine(*pair.folded, pair.config);
  const at::Tensor tiles = pair.tiles(12), expected = engine.embed(tiles);
  std::vector<int> wrong(4, 0);
  std::vector<std::thread> callers;
  for (std::size_t c = 0; c < wrong.size(); ++c) {
    callers.emplace_back([&, c] {
      at::set_num_threads(1 + static_cast<int>(c) % 3);
      for (std::int64_t round = 0; round < 20; ++round) {
        const std::int64_t count = 1 + (round + static_cast<std::int64_t>(c)) % 6;
        if (!at::equal(engine.embed(tiles.narrow(0, round % 6, count)), expected.narrow(0, round % 6, count)))
          ++wrong[c];
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  CHECK(wrong == std::vector<int>(4, 0));
}

TEST_CASE("memory does not grow with the batch, nor with calls") {
  const Pair pair({"tiny", 32, 64});
  const cpu::Engine engine(*pair.folded, pair.config);
  const Threads one(1);
  engine.embed(pair.tiles(1));
  const std::size_t bytes = engine.workspace_bytes();
  CHECK(bytes > 0);
  engine.embed(pair.tiles(150));
  for (int i = 0; i < 3; ++i) engine.embed(pair.tiles(2));
  CHECK(engine.workspace_bytes() == bytes);
  CHECK(engine.weight_bytes() > 0);
}
