// Runs CUDA kernels on the CPU: a block is a team of threads that meet at a barrier, blocks run one after the
// other. Slow, and exact: indices, guards, shared memory and missing barriers show as they would on a device.
#pragma once

#include <atomic>
#include <barrier>
#include <memory>
#include <thread>
#include <vector>

#define __global__
#define __device__
#define __shared__ static

namespace stainfold {

struct Index {
  unsigned x = 1, y = 1;
};

inline thread_local Index threadIdx, blockIdx, gridDim;
inline std::barrier<>* team_barrier = nullptr;

inline void __syncthreads() { team_barrier->arrive_and_wait(); }

template <typename T>
T atomicAdd(T* place, T value) {
  return std::atomic_ref<T>(*place).fetch_add(value);
}

template <typename Kernel>
void emulate(Index grid, unsigned threads, Kernel kernel) {
  std::barrier<> block_ends(threads);
  std::vector<std::thread> team;
  std::vector<std::unique_ptr<std::barrier<>>> barriers;
  for (unsigned block = 0; block < grid.x * grid.y; ++block) {
    barriers.push_back(std::make_unique<std::barrier<>>(threads));
  }
  for (unsigned thread = 0; thread < threads; ++thread) {
    team.emplace_back([&, thread] {
      threadIdx = {thread, 0};
      gridDim = grid;
      for (unsigned block = 0; block < grid.x * grid.y; ++block) {
        blockIdx = {block % grid.x, block / grid.x};
        if (thread == 0) team_barrier = barriers[block].get();
        block_ends.arrive_and_wait();
        kernel();
        team_barrier->arrive_and_drop();  // a thread that has returned no longer takes part, as on a device
        block_ends.arrive_and_wait();
      }
    });
  }
  for (std::thread& member : team) member.join();
}

}  // namespace stainfold
