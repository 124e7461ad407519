// The stain-induced manifold: everything a tile could have looked like in other labs.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "stainfold/transforms.h"

namespace stainfold {

// The prior that virtual labs are drawn from, and the jitter of views within a lab. Spreads are standard
// deviations, cut off at two of them; chosen so that the labs of AMi-Br, GlaS and PoliTo lie within.
struct ManifoldOptions {
  std::int64_t labs = 16;              // number of virtual labs G, >= 1
  double concentration = 0.25;         // of ln(a), per stain, between labs
  double background = 0.03;            // of b, optical density, between labs
  double rotation = 9.0;               // degrees, of each stain vector about the red axis, between labs;
                                       // about the green and blue axes 0.45 of it
  double gain = 0.06;                  // of ln(channel gain), between labs
  double gamma = 0.12;                 // of ln(gamma), between labs
  double blur = 0.8;                   // largest blur, pixels (Gaussian sigma), of every second view; as
                                       // likely sharpened; 0 switches it off
  std::int64_t jpeg_quality_min = 40;  // re-compression quality of every second view is uniform in
                                       // [min, 100]; 100 switches it off
  double jitter = 0.25;                // within-lab spread, as a fraction of the between-lab spread
  bool geometry = true;  // rotations by 90 degrees and flips, one draw a tile, shared by its views

  // What a view goes through, in this order. Empty: the H&E recipe, which the spreads above are of.
  std::vector<Transform> transforms = {};
  // An augmentation: every view is drawn afresh from the prior, without jitter; its lab is the nearest one.
  bool fresh = false;
};

struct Views {
  at::Tensor pixels;  // [K*B,3,H,W] float32 in [0,1], view-major: row k*B + b is tile b
  at::Tensor source;  // [B,3,H,W] float32 in [0,1]: the tile as it came, with the geometry its views share
  at::Tensor lab;     // [K*B] int64 in [0, labs)
  // [K*B,2] int64, several stains only: first label of the row's stain, and the one behind its last.
  at::Tensor lab_range = {};
};

class Recipe;

class Manifold {
 public:
  // The labs are a function of (options, seed) alone.
  Manifold(const ManifoldOptions& options, std::uint64_t seed);

  // Draws depend on (seed, step) alone, so that a resumed run renders what the uninterrupted one would have.
  // A tile with too little stain to separate takes the reference's stains; a white one passes through. Never
  // throws on content.
  Views render(const at::Tensor& tiles,  // [B,H,W,3] uint8 RGB, on the device to render on
               std::int64_t views, std::uint64_t step) const;

  // Every tile in one given lab, without jitter, blur, re-compression or geometry: for pictures and
  // evaluation.
  at::Tensor render_lab(const at::Tensor& tiles,  // [B,H,W,3] uint8
                        std::int64_t lab) const;  // -> [B,H,W,3] uint8

  const ManifoldOptions& options() const { return options_; }

 private:
  ManifoldOptions options_;
  std::uint64_t seed_;
  std::shared_ptr<const Recipe> recipe_;
  at::Tensor labs_;  // [G, P] float32 on the CPU: the parameters of each lab, as the recipe lays them out
};

// Several stains at once, each tile rendered by its own manifold. The labs of a stain have a range of labels
// of their own: that of stain i begins where that of i - 1 ends.
class JointManifold {
 public:
  // stains: at least one. A single one renders what Manifold does.
  JointManifold(const std::vector<ManifoldOptions>& stains, std::uint64_t seed);

  Views render(const at::Tensor& tiles,  // [B,H,W,3] uint8 RGB
               const at::Tensor& stain,  // [B] int64 in [0, stains), on the CPU; undefined: all 0
               std::int64_t views, std::uint64_t step) const;

  std::int64_t stains() const { return static_cast<std::int64_t>(manifolds_.size()); }
  std::int64_t labs() const { return first_lab_.back(); }  // of all stains
  // The share of right guesses among the labs of each tile's own stain.
  double chance(const at::Tensor& stain) const;  // [B] int64 on the CPU, or undefined

 private:
  std::vector<Manifold> manifolds_;
  std::vector<std::int64_t> first_lab_;  // one more than stains
};

}  // namespace stainfold
