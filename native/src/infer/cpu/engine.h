// The encoder on the CPU: the same function of the same weights as Encoder, up to rounding, several times as
// fast. docs/performance.md says by what.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstddef>
#include <memory>
#include <mutex>
#include <vector>

#include "infer/cpu/network.h"
#include "infer/cpu/pool.h"
#include "infer/cpu/workspace.h"

namespace stainfold::cpu {

const Kernels& best_kernels();  // of those that this machine runs

class Engine {
 public:
  // encoder: norms folded, float32, on the CPU. Its weights are copied.
  Engine(const Encoder& encoder, const ModelConfig& config, const Kernels& kernels = best_kernels());

  // tiles [N,H,W,3] uint8 -> [N,d] float32, by at::get_num_threads() threads. There may be several callers at
  // a time: one has the threads, the others are alone. An embedding is the same, bit for bit, whatever the
  // batch mates and the threads.
  at::Tensor embed(const at::Tensor& tiles) const;

  std::size_t weight_bytes() const { return network_.weight_bytes(); }
  std::size_t workspace_bytes() const;  // of those made so far: one a thread that embedded at the same time

 private:
  class Lease;
  using Team = Pool::Team;

  void embed_group(const std::uint8_t* tiles, int images, float* z, Workspace& work, const Team& team) const;
  void read_pixels(const std::uint8_t* tile, Workspace& work, const Team& team) const;
  void run(const Step& step, int first, int images, Workspace& work, const Team& team) const;
  void run_direct(const Convolution& conv, const View& in, const View& out, int images,
                  const Team& team) const;
  void run_winograd(const Convolution& conv, const View& in, const View& out, int images, Workspace& work,
                    const Team& team) const;
  void finish(int images, float* z, Workspace& work, const Team& team) const;

  const Network network_;
  mutable Pool pool_;
  mutable std::mutex mutex_;
  mutable std::vector<std::unique_ptr<Workspace>> workspaces_;  // all; mutex_ guards both lists
  mutable std::vector<Workspace*> idle_;
};

}  // namespace stainfold::cpu
