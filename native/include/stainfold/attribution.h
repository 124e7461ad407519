// What an embedding rests on: which pixels, and which directions of the manifold of stains.
#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <cstdint>
#include <string>

namespace stainfold {

// A scalar function of z.
struct AttributionTarget {
  enum class Kind {
    norm,        // |z|
    direction,   // w . z: a probe's decision
    similarity,  // cosine of z and w: likeness to another tile
  };
  Kind kind = Kind::norm;
  at::Tensor vector;  // w [d], of direction and similarity
};

struct AttributionOptions {
  AttributionTarget target;
  // What the path of integrated gradients starts from: clear glass, or the tile without detail.
  enum class Baseline { glass, blur } baseline = Baseline::glass;
  std::int64_t steps = 32;  // of the path, midpoint rule
  std::int64_t stage = 3;   // of the encoder whose activations Grad-CAM weighs, 1 to 4; stride 2 << stage
};

struct Attribution {
  at::Tensor map;             // [N,H,W] float32
  at::Tensor value;           // [N] target of the tile
  at::Tensor baseline_value;  // [N] target of the baseline; zeros of Grad-CAM
};

// Directions of the manifold: ln of a stain's concentration, ln of the scanner's gain, ln of its gamma.
const std::array<std::string, 4>& sensitivity_directions();  // haematoxylin, eosin, gain, gamma

struct Sensitivity {
  at::Tensor length;  // [N,4] |dz/dtheta|
  at::Tensor norm;    // [N] |z|
  at::Tensor maps;    // [N,4,H,W]: what each pixel adds to the length; they sum to it
};

// The map in colours over the grey tile, scaled to the 99th percentile of its absolute values. diverging:
// blue, white, red about 0; else from dark violet to yellow. smooth: side of a box mean for the picture, odd,
// pixels.
at::Tensor attribution_overlay(const at::Tensor& tiles,               // [N,H,W,3] uint8
                               const at::Tensor& map,                 // [N,H,W] float32
                               bool diverging, std::int64_t smooth);  // -> [N,H,W,3] uint8

}  // namespace stainfold
