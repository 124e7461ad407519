// The encoder as a list of convolutions over numbered activations, its weights packed for one set of kernels.
#pragma once

#include <cstddef>
#include <vector>

#include "infer/cpu/kernels.h"
#include "infer/cpu/memory.h"
#include "models/encoder.h"

namespace stainfold::cpu {

// Activations of one kind in memory. Winograd's tiles may reach over the right and the lower edge, so the
// extent is a multiple of the larger ones, and a border.
struct Shape {
  int height, width, channels;
  std::ptrdiff_t row() const { return (winograd_tiles(width, 4) * 4 + 2) * channels; }
  std::ptrdiff_t image() const { return (winograd_tiles(height, 4) * 4 + 2) * row(); }
};

struct Step {
  Convolution convolution;
  int from, to;  // activations
};

struct Network {
  // encoder: norms folded, float32, on the CPU.
  Network(const Encoder& encoder, const ModelConfig& config, const Kernels& kernels);

  std::size_t weight_bytes() const;
  // Whether an activation is held for a group of images, not for one.
  bool grouped(int activation) const { return activation >= steps[static_cast<std::size_t>(alone) - 1].to; }

  const Kernels& kernels;
  int side;      // of a tile, pixels
  int latent;    // d
  int features;  // what the head reads: means, then the layout by row, column, channel
  int group;     // images that the later layers work on at a time, so that weights are read once for them
  int alone;     // of the steps, those done image by image: large activations, small weights

  std::vector<Shape> activations;  // the first are pixels, the last but one what the steps end with
  std::vector<Step> steps;
  Convolution layout;  // 1x1, of the last stage
  Convolution head;    // 1x1, of features; images are its pixels

 private:
  std::vector<Memory> memory_;
};

}  // namespace stainfold::cpu
