// Stain separation and normalisation, a batch of tiles at once, on the device that the tiles lie on. White,
// black, grey and one-pixel tiles have a status, never an error.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

namespace stainfold {

enum class StainMethod {
  macenko,    // Macenko et al. 2009: the extremes of the pixels' angles in their principal plane
  vahadane,   // Vahadane et al. 2016: sparse non-negative factorisation
  ruifrok,    // Ruifrok & Johnston 2001: a fixed matrix
  reinhard,   // Reinhard et al. 2001: mean and deviation in CIELAB
  histogram,  // the histogram of each channel
};

enum class StainStatus : std::uint8_t {
  ok = 0,
  little_tissue = 1,  // fewer than 16 pixels, or 2 in 100, hold stain: the tile is passed through
  weak_stain = 2,     // grey, or its stains cannot be told apart: the tile is passed through
  clamped = 3,        // normalised, and a scale was held at the limit
};

struct StainOptions {
  StainMethod method = StainMethod::macenko;
  std::string stains = "he";  // of ruifrok: a name of stain_sets()
  // Pixels a tile that stains are estimated from, on a regular grid; concentrations, means and histograms
  // see all.
  std::int64_t sampled_pixels = std::numeric_limits<std::int64_t>::max();
  // Reference over source, of a stain's concentration or a deviation in CIELAB, is held at this: a weakly
  // stained tile would blow up. >= 1.
  double clamp = 3.0;
  // Of reinhard and histogram, which take every pixel for tissue as they were published: measure tissue
  // alone, and leave glass as it is.
  bool tissue_only = false;
};

// What a method knows of each tile's stain, in a row of fit_width() numbers: macenko, vahadane and ruifrok M
// [3,S] row by row, then the 99th percentile of each concentration [S]; reinhard mean [3] and deviation [3]
// of L, a, b; histogram the shares of the 256 grey levels of red, green and blue [3,256].
struct StainFit {
  at::Tensor values;  // [B,P] float64, on the device of the tiles
  at::Tensor status;  // [B] uint8, a StainStatus
};

std::int64_t fit_width(const StainOptions& options);

StainFit fit_stains(const at::Tensor& tiles,  // [B,H,W,3] uint8
                    const StainOptions& options);

// One fit for many tiles of macenko, vahadane or ruifrok: the median of those that are `ok`, stains of unit
// length again. Pooled pixels would not do: their extremes of angle are the extremes of all slides, which no
// slide has. Where no row is `ok`, the status is that of most.
StainFit median_fit(const StainFit& fits,          // of any number of rows
                    const StainOptions& options);  // -> one row, on the CPU

// torchstain's reference for Macenko's method, the one that its users compare with.
at::Tensor published_macenko();  // -> [8] float64

struct NormalizedTiles {
  at::Tensor pixels;  // [B,H,W,3] uint8
  at::Tensor status;  // [B] uint8, a StainStatus
};

// The tiles as if stained like the reference. A tile whose fit is not `ok` comes out as it went in.
NormalizedTiles normalize_stains(const at::Tensor& tiles,      // [B,H,W,3] uint8
                                 const StainFit& source,       // of B rows, or of one for all
                                 const at::Tensor& reference,  // [P] float64
                                 const StainOptions& options);

struct SeparatedTiles {
  at::Tensor stains;          // M [B,3,S] float32, unit columns; where nothing could be estimated, Ruifrok's
  at::Tensor concentrations;  // C [B,S,H,W] float32, natural optical density; noise makes some negative
  at::Tensor status;          // [B] uint8, a StainStatus
};

// OD = M C. macenko and vahadane: haematoxylin (the one that absorbs more red) and eosin; ruifrok: the set's.
SeparatedTiles separate_tiles(const at::Tensor& tiles,  // [B,H,W,3] uint8
                              const StainOptions& options);

// Each stain alone, as it would look on glass.
at::Tensor stain_images(const SeparatedTiles& separated);  // -> [B,S,H,W,3] uint8

// Fixed stains by name, unit columns: Ruifrok & Johnston 2001, and Landini's table as scikit-image has it.
struct StainSet {
  std::string name;                 // "he", "hed", "hdab", ...
  std::vector<std::string> stains;  // "haematoxylin", "eosin", ...
};
std::vector<StainSet> stain_sets();
at::Tensor stain_matrix(const std::string& set);  // -> [3,S] float64

// Every stride-th pixel of every stride-th line: what a fit of reinhard or histogram over many tiles is made
// of.
at::Tensor sample_pixels(const at::Tensor& tiles,  // [B,H,W,3] uint8
                         std::int64_t stride);     // >= 1 -> [B*h*w,3] uint8

}  // namespace stainfold
