// The judges learn from a history of painted tiles and not from the latest alone (Shrivastava et al. 2017),
// so that the generators cannot run in circles before them.
#pragma once

#include <ATen/core/Generator.h>
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

#include "stainfold/models.h"

namespace stainfold {

class ImagePool {
 public:
  ImagePool(std::int64_t capacity, std::int64_t tile_size, at::Device device);

  // What one batch changes; nothing has changed until accept().
  struct Exchange {
    at::Tensor shown;    // [B,3,T,T]: for each fresh image it or an older one
    at::Tensor kept;     // [changed slots,3,T,T]
    at::Tensor slots;    // [changed slots] int64
    std::int64_t count;  // images held afterwards
  };

  // Row by row: while there is room the image is kept and shown; then, with even odds, it is shown, or it
  // takes the place of a random one, which is shown. The draws are made on the CPU, from `generator` alone.
  Exchange exchange(const at::Tensor& fresh,  // [B,3,T,T], free of the graph
                    at::Generator generator) const;
  void accept(const Exchange& exchange);

  // "<prefix>images" [capacity,3,T,T] and "<prefix>count" int64 [1], live.
  void append_state(std::vector<NamedTensor>& list, const std::string& prefix) const;

 private:
  at::Tensor images_;  // float32, on the device
  at::Tensor count_;   // on the CPU
};

}  // namespace stainfold
