// The memory in which a group of tiles is embedded.
#pragma once

#include <cstddef>
#include <vector>

#include "infer/cpu/network.h"

namespace stainfold::cpu {

class Workspace {
 public:
  explicit Workspace(const Network& network);

  void prepare_for(int members);  // transforms for so many threads
  Scratch& scratch(int member) { return scratch_[static_cast<std::size_t>(member)]; }
  void forget_transforms();

  View activation(int index, int image) const;
  View layout() const;      // [image,y,x,channel], no border
  View features() const;    // a pixel an image
  View embeddings() const;  // a pixel an image, the latent dimension rounded up to vectors

  std::size_t bytes() const;

 private:
  const Network& network_;
  std::vector<Memory> activations_;
  Memory layout_, features_, embeddings_;
  std::vector<Memory> transforms_;
  std::vector<Scratch> scratch_;
};

}  // namespace stainfold::cpu
