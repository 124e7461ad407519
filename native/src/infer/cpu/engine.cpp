#include "infer/cpu/engine.h"

#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>

#include <algorithm>

#include "models/grid.h"

namespace stainfold::cpu {
namespace {

constexpr int rounded_up(int value, int unit) { return (value + unit - 1) / unit * unit; }
constexpr int quotient_up(int value, int unit) { return (value + unit - 1) / unit; }

// Input that a block of rows reads stays in the second cache while its channels are computed.
constexpr std::ptrdiff_t kRowsFloats = 64 * 1024;

// `items` in `blocks` parts of equal size.
struct Range {
  int begin, end;
};
Range part(int items, int blocks, int index) {
  const std::int64_t n = items;
  return {static_cast<int>(n * index / blocks), static_cast<int>(n * (index + 1) / blocks)};
}

// A layer as blocks of pixels by panels of channels. Blocks alone where they suffice for the team: what a
// block reads is then read by one thread.
template <typename Body>
void share(const Pool::Team& team, int blocks, int panels, const Body& body) {
  if (blocks >= 2 * team.size()) {
    team.run(blocks, [&](int block, int member) {
      for (int panel = 0; panel < panels; ++panel) body(block, panel, member);
    });
  } else {
    team.run(blocks * panels, [&](int item, int member) { body(item / panels, item % panels, member); });
  }
}

int blocks_for(const Pool::Team& team, int items, int blocks) {
  return std::min(items, rounded_up(blocks, team.size()));
}

}  // namespace

const Kernels& best_kernels() {
  for (const Kernels* kernels : {avx512_kernels(), avx2_kernels()}) {
    if (kernels != nullptr) return *kernels;
  }
  return *baseline_kernels();
}

// Workspaces of one call, given back at its end.
class Engine::Lease {
 public:
  Lease(const Engine& engine, int count) : engine_(engine) {
    const std::lock_guard lock(engine.mutex_);
    while (static_cast<int>(engine.idle_.size()) < count) {
      engine.workspaces_.push_back(std::make_unique<Workspace>(engine.network_));
      engine.idle_.push_back(engine.workspaces_.back().get());
    }
    held_.assign(engine.idle_.end() - count, engine.idle_.end());
    engine.idle_.resize(engine.idle_.size() - static_cast<std::size_t>(count));
  }
  ~Lease() {
    const std::lock_guard lock(engine_.mutex_);
    engine_.idle_.insert(engine_.idle_.end(), held_.begin(), held_.end());
  }
  Lease(const Lease&) = delete;
  Lease& operator=(const Lease&) = delete;
  Workspace& operator[](int index) const { return *held_[static_cast<std::size_t>(index)]; }

 private:
  const Engine& engine_;
  std::vector<Workspace*> held_;
};

Engine::Engine(const Encoder& encoder, const ModelConfig& config, const Kernels& kernels)
    : network_(encoder, config, kernels) {}

std::size_t Engine::workspace_bytes() const {
  const std::lock_guard lock(mutex_);
  std::size_t bytes = 0;
  for (const auto& workspace : workspaces_) bytes += workspace->bytes();
  return bytes;
}

at::Tensor Engine::embed(const at::Tensor& tiles) const {
  const at::Tensor bytes = tiles.contiguous();
  const int images = static_cast<int>(bytes.size(0));
  at::Tensor z = at::empty({images, network_.latent}, at::kFloat);
  const std::ptrdiff_t tile = static_cast<std::ptrdiff_t>(network_.side) * network_.side * 3;
  const std::uint8_t* const from = bytes.const_data_ptr<std::uint8_t>();
  float* const to = z.mutable_data_ptr<float>();
  const auto embed_range = [&](Range images, Workspace& work, const Team& team) {
    embed_group(from + images.begin * tile, images.end - images.begin, to + images.begin * network_.latent,
                work, team);
  };

  const Team team(pool_, at::get_num_threads());
  const int groups = std::min(images, rounded_up(quotient_up(images, network_.group), team.size()));
  // Threads over groups of tiles, unless that leaves some idle: then threads within a group.
  if (images % team.size() == 0 || groups >= 4 * team.size()) {
    const Lease work(*this, std::min(groups, team.size()));
    const Team alone;
    for (int member = 0; member < std::min(groups, team.size()); ++member) work[member].prepare_for(1);
    team.run(groups,
             [&](int group, int member) { embed_range(part(images, groups, group), work[member], alone); });
  } else {
    const Lease work(*this, 1);
    work[0].prepare_for(team.size());
    const int turns = quotient_up(images, network_.group);
    for (int group = 0; group < turns; ++group) embed_range(part(images, turns, group), work[0], team);
  }
  return z;
}

void Engine::embed_group(const std::uint8_t* tiles, int images, float* z, Workspace& work,
                         const Team& team) const {
  const std::ptrdiff_t tile = static_cast<std::ptrdiff_t>(network_.side) * network_.side * 3;
  const auto bridge = network_.steps.begin() + network_.alone;
  for (int i = 0; i < images; ++i) {
    read_pixels(tiles + i * tile, work, team);
    for (auto step = network_.steps.begin(); step != bridge; ++step) run(*step, i, 1, work, team);
  }
  for (auto step = bridge; step != network_.steps.end(); ++step) run(*step, 0, images, work, team);
  finish(images, z, work, team);
}

void Engine::read_pixels(const std::uint8_t* tile, Workspace& work, const Team& team) const {
  constexpr auto scale = static_cast<float>(1.0 / (255.0 * kPixelDeviation));
  constexpr auto shift = static_cast<float>(-kPixelMean / kPixelDeviation);
  const View out = work.activation(0, 0);
  const int side = network_.side;
  team.run(team.size(), [&](int block, int) {
    const Range rows = part(side, team.size(), block);
    View band = out;
    band.origin += rows.begin * out.row;
    network_.kernels.pixels(tile + static_cast<std::ptrdiff_t>(rows.begin) * side * 3, rows.end - rows.begin,
                            side, scale, shift, band);
  });
}

void Engine::run(const Step& step, int first, int images, Workspace& work, const Team& team) const {
  const View in = work.activation(step.from, first), out = work.activation(step.to, first);
  if (step.convolution.winograd > 0) {
    run_winograd(step.convolution, in, out, images, work, team);
  } else {
    run_direct(step.convolution, in, out, images, team);
  }
}

void Engine::run_direct(const Convolution& conv, const View& in, const View& out, int images,
                        const Team& team) const {
  const int rows = images * conv.height;
  const auto most = static_cast<int>(std::max<std::ptrdiff_t>(1, kRowsFloats / (in.row * conv.stride + 1)));
  const int blocks = blocks_for(team, rows, quotient_up(rows, most));
  share(team, blocks, quotient_up(conv.out, network_.kernels.panel), [&](int block, int panel, int) {
    const Range range = part(rows, blocks, block);
    network_.kernels.direct(conv, in, out, range.begin, range.end, panel);
  });
}

void Engine::run_winograd(const Convolution& conv, const View& in, const View& out, int images,
                          Workspace& work, const Team& team) const {
  const int tiles =
      images * winograd_tiles(conv.height, conv.winograd) * winograd_tiles(conv.width, conv.winograd);
  const int blocks = blocks_for(team, tiles, quotient_up(tiles, winograd_block(conv.winograd)));
  work.forget_transforms();
  share(team, blocks, quotient_up(conv.out, network_.kernels.panel), [&](int block, int panel, int member) {
    const Range range = part(tiles, blocks, block);
    network_.kernels.winograd(conv, in, out, range.begin, range.end, panel, work.scratch(member));
  });
}

// What is there: the mean of each channel. Where it is: few channels on a coarse grid.
void Engine::finish(int images, float* z, Workspace& work, const Team& team) const {
  const Kernels& kernels = network_.kernels;
  const View last = work.activation(network_.steps.back().to, 0), layout = work.layout();
  const View features = work.features(), embeddings = work.embeddings();
  run_direct(network_.layout, last, layout, images, team);
  const int side = network_.layout.height, grid = static_cast<int>(kLayout);
  for (int i = 0; i < images; ++i) {
    float* row = features.origin + i * features.pixel;
    View window = last;
    window.origin += i * last.image;
    kernels.mean(window, side, side, network_.layout.in, row);
    row += network_.layout.in;
    for (int y = 0; y < grid; ++y) {
      for (int x = 0; x < grid; ++x, row += network_.layout.out) {
        // The bins of adaptive average pooling.
        const int top = y * side / grid, left = x * side / grid;
        const int bottom = quotient_up((y + 1) * side, grid), right = quotient_up((x + 1) * side, grid);
        View bin = layout;
        bin.origin += i * layout.image + top * layout.row + left * layout.pixel;
        kernels.mean(bin, bottom - top, right - left, network_.layout.out, row);
      }
    }
  }
  Convolution head = network_.head;
  head.width = images;
  run_direct(head, features, embeddings, 1, team);
  for (int i = 0; i < images; ++i) {
    const float* const from = embeddings.origin + i * embeddings.pixel;
    std::copy(from, from + network_.latent, z + static_cast<std::ptrdiff_t>(i) * network_.latent);
  }
}

}  // namespace stainfold::cpu
