#include "infer/graph_engine.h"

#include <ATen/ATen.h>
#include <ATen/cuda/CUDAGraph.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>
#include <cuda_runtime_api.h>

#include <array>
#include <chrono>
#include <cstring>
#include <map>
#include <mutex>
#include <string>
#include <utility>

#include "core/cuda/check.h"
#include "infer/cuda/event.h"
#include "stainfold/error.h"

namespace stainfold {
namespace {

// Libraries choose algorithms and make their workspaces on first use, which a capture must not see.
constexpr int kWarmUps = 2;

struct Graph {
  at::cuda::CUDAGraph graph;
  at::Tensor output;  // [bucket,d] float32, where every replay leaves its result
};

// One batch under way: from the caller's memory to pinned memory, to the device, and back.
struct Slot {
  at::Tensor host_tiles, device_tiles;  // [largest,S,S,3] uint8
  at::Tensor host_result;               // [largest,d] float32
  cuda::Event uploaded, done;
  std::int64_t first = 0, count = 0;  // rows of the call; count 0: free
};

std::int64_t free_memory(at::Device device) {
  const c10::cuda::CUDAGuard on(device);
  std::size_t free = 0, total = 0;
  cuda::check(cudaMemGetInfo(&free, &total), "a query of free memory");
  return static_cast<std::int64_t>(free);
}

}  // namespace

struct GraphEngine::State {
  State(std::shared_ptr<Encoder> prepared, const ModelConfig& asked, at::Device on, at::ScalarType computing)
      : encoder(std::move(prepared)),
        model(asked),
        device(on),
        precision(computing),
        compute(c10::cuda::getStreamFromPool(/*isHighPriority=*/false, on.index())),
        copies(c10::cuda::getStreamFromPool(/*isHighPriority=*/false, on.index())),
        pool(at::cuda::graph_pool_handle()),
        largest(stainfold::largest_batch(asked, static_cast<std::int64_t>(c10::elementSize(computing)),
                                         free_memory(on))) {
    allocate();
  }

  ~State() {
    // Graphs and buffers may be in use until both streams are through.
    const c10::cuda::CUDAGuard on(device);
    cudaStreamSynchronize(copies.stream());
    cudaStreamSynchronize(compute.stream());
    graphs.clear();
    cudaGetLastError();
  }

  void allocate() {
    const c10::cuda::CUDAGuard on(device);
    const auto pinned = [](at::ScalarType type) {
      return at::TensorOptions().dtype(type).pinned_memory(true);
    };
    const std::array<std::int64_t, 4> shape{largest, model.tile_size, model.tile_size, 3};
    const at::TensorOptions bytes = at::TensorOptions().dtype(at::kByte).device(device);
    input = at::zeros(shape, bytes);
    for (Slot& slot : slots) {
      slot.host_tiles = at::empty(shape, pinned(at::kByte));
      slot.device_tiles = at::empty(shape, bytes);
      slot.host_result = at::empty({largest, model.latent}, pinned(at::kFloat));
    }
    // Made on the current stream, used on two others.
    cuda::check(cudaDeviceSynchronize(), "the filling of the embedder's buffers");
  }

  at::Tensor forward(std::int64_t bucket) {
    const at::Tensor pixels = input.narrow(0, 0, bucket).permute({0, 3, 1, 2}).to(at::kFloat).div_(255.0);
    return encoder->forward(pixels.to(precision)).to(at::kFloat);
  }

  // On the compute stream. Other threads may go on using the device: only this one is held to the rules of a
  // capture.
  std::unique_ptr<Graph> capture(std::int64_t bucket) {
    for (int i = 0; i < kWarmUps; ++i) forward(bucket);
    compute.synchronize();
    auto made = std::make_unique<Graph>();
    made->graph.capture_begin(pool, cudaStreamCaptureModeThreadLocal);
    try {
      made->output = forward(bucket);
    } catch (...) {
      try {
        made->graph.capture_end();
      } catch (...) {  // the first error tells more
      }
      cudaGetLastError();
      throw;
    }
    made->graph.capture_end();
    return made;
  }

  // What was computed of the bucket's rows; the graph is made on first use.
  at::Tensor run(std::int64_t bucket) {
    if (!eager) {
      try {
        std::unique_ptr<Graph>& graph = graphs[bucket];
        if (!graph) graph = capture(bucket);
        graph->graph.replay();
        return graph->output;
      } catch (const c10::OutOfMemoryError&) {
        throw;
      } catch (const c10::Error& error) {
        // Right and slower beats not at all, and is said.
        eager = true;
        TORCH_WARN("stainfold: CUDA graphs cannot be used here, and embedding goes without, more slowly: ",
                   error.what_without_backtrace());
      }
    }
    return forward(bucket);
  }

  void start(Slot& slot, const at::Tensor& tiles, std::int64_t first, std::int64_t count) {
    const auto tile_bytes = static_cast<std::size_t>(model.tile_size * model.tile_size * 3);
    std::memcpy(slot.host_tiles.mutable_data_ptr(),
                tiles.const_data_ptr<std::uint8_t>() + static_cast<std::size_t>(first) * tile_bytes,
                static_cast<std::size_t>(count) * tile_bytes);
    {
      const c10::cuda::CUDAStreamGuard on(copies);
      slot.device_tiles.narrow(0, 0, count).copy_(slot.host_tiles.narrow(0, 0, count), /*non_blocking=*/true);
      slot.uploaded.record(copies.stream());
    }
    const c10::cuda::CUDAStreamGuard on(compute);
    slot.uploaded.wait(compute.stream());
    input.narrow(0, 0, count).copy_(slot.device_tiles.narrow(0, 0, count));
    // Rows behind `count` hold tiles of earlier batches: they cost what padding costs, and nobody reads them.
    const at::Tensor z = run(batch_bucket(count, largest));
    slot.host_result.narrow(0, 0, count).copy_(z.narrow(0, 0, count), /*non_blocking=*/true);
    slot.done.record(compute.stream());
    slot.first = first;
    slot.count = count;
  }

  void collect(Slot& slot, at::Tensor& result) {
    if (slot.count == 0) return;
    const std::int64_t count = std::exchange(slot.count, 0);
    slot.done.synchronise();
    std::memcpy(result.mutable_data_ptr<float>() + slot.first * model.latent,
                slot.host_result.const_data_ptr<float>(),
                static_cast<std::size_t>(count * model.latent) * sizeof(float));
  }

  at::Tensor embed(const at::Tensor& tiles) {
    const std::lock_guard<std::mutex> turn(mutex);
    const c10::cuda::CUDAGuard on(device);
    at::Tensor result = at::empty({tiles.size(0), model.latent}, at::kFloat);
    try {
      std::size_t next = 0;
      for (std::int64_t first = 0; first < tiles.size(0);) {
        Slot& slot = slots[next++ % slots.size()];
        collect(slot, result);
        const std::int64_t count = std::min(largest, tiles.size(0) - first);
        start(slot, tiles, first, count);
        first += count;
      }
      for (std::size_t i = 0; i < slots.size(); ++i) collect(slots[next++ % slots.size()], result);
    } catch (...) {
      cudaStreamSynchronize(copies.stream());
      cudaStreamSynchronize(compute.stream());
      cudaGetLastError();
      for (Slot& slot : slots) slot.count = 0;
      throw;
    }
    return result;
  }

  double seconds_resident(const at::Tensor& tiles, std::int64_t calls) {
    if (tiles.size(0) > largest) {
      throw Error(ErrorCode::shape, "tiles must hold at most " + std::to_string(largest) +
                                        " tiles, as many as the device takes at a time, got " +
                                        std::to_string(tiles.size(0)));
    }
    const std::lock_guard<std::mutex> turn(mutex);
    const c10::cuda::CUDAGuard device_guard(device);
    const c10::cuda::CUDAStreamGuard on(compute);
    const std::int64_t bucket = batch_bucket(tiles.size(0), largest);
    input.narrow(0, 0, tiles.size(0)).copy_(tiles);
    run(bucket);  // the graph is made on first use
    compute.synchronize();
    const auto begun = std::chrono::steady_clock::now();
    for (std::int64_t call = 0; call < calls; ++call) run(bucket);
    compute.synchronize();
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count() /
           static_cast<double>(calls);
  }

  const std::shared_ptr<Encoder> encoder;
  const ModelConfig model;
  const at::Device device;
  const at::ScalarType precision;
  const c10::cuda::CUDAStream compute, copies;
  const c10::MempoolId_t pool;
  const std::int64_t largest;
  at::Tensor input;  // [largest,S,S,3] uint8: what every graph reads from
  std::array<Slot, 2> slots;
  std::map<std::int64_t, std::unique_ptr<Graph>> graphs;
  bool eager = false;  // a capture failed
  std::mutex mutex;
};

GraphEngine::GraphEngine(std::shared_ptr<Encoder> encoder, const ModelConfig& model, at::Device device,
                         at::ScalarType precision)
    : state_(std::make_unique<State>(std::move(encoder), model, device, precision)) {}
GraphEngine::~GraphEngine() = default;

at::Tensor GraphEngine::embed(const at::Tensor& tiles) { return state_->embed(tiles.contiguous()); }
double GraphEngine::seconds_resident(const at::Tensor& tiles, std::int64_t calls) {
  return state_->seconds_resident(tiles.contiguous(), calls);
}
std::int64_t GraphEngine::largest_batch() const { return state_->largest; }

}  // namespace stainfold
