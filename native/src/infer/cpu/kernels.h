// The encoder's arithmetic on the CPU, once for each instruction set. No header of LibTorch and next to none
// of the standard library: these files are compiled with flags of their own, and an inline function that
// the linker shares between them would carry one's instructions into the other.
#pragma once

#include <cstddef>
#include <cstdint>

namespace stainfold::cpu {

// Activations: float32, channels last, with at least one pixel of zeros around every image. Steps in floats.
struct View {
  float* origin;  // pixel (0, 0) of the first image
  std::ptrdiff_t pixel, row, image;
};

// A convolution of odd kernel, padded by kernel / 2, with its norm folded, as prepare() leaves it.
struct Convolution {
  int in, out;  // channels; out is a multiple of 16
  int kernel, stride;
  int height, width;  // extent of the output
  bool relu;
  bool add;      // to what the output holds, before the activation
  int winograd;  // outputs a side of a tile: F(4x4,3x3), F(2x2,3x3); 0: the sum itself
  const float* weights;
  const float* bias;  // [out]
};

// Winograd's transforms of a block of tiles. A thread's own.
struct Scratch {
  float* inputs;   // [points][winograd_point(tiles, in)]
  float* outputs;  // [points][winograd_point(tiles, panel)]
  int held;        // the first tile of the block whose inputs are held, or -1
};

// Winograd's points of a tile, and tiles at a time: their transforms stay in the second cache.
constexpr int winograd_points(int tile) { return (tile + 2) * (tile + 2); }
constexpr int winograd_block(int tile) { return tile == 4 ? 28 : 56; }
constexpr int winograd_tiles(int extent, int tile) { return (extent + tile - 1) / tile; }

// Floats from one point of a block's transforms to the next: the odd line keeps the points from sharing one
// set of the cache.
constexpr std::ptrdiff_t winograd_point(int tiles, int channels) {
  return static_cast<std::ptrdiff_t>(tiles) * channels + 16;
}

struct Kernels {
  const char* name;
  int panel;  // output channels computed at a time; the last panel of a layer may be narrower
  // RGB bytes of a tile -> byte * scale + shift.
  void (*pixels)(const std::uint8_t* tile, int height, int width, float scale, float shift, const View& out);
  // Rows [begin, end) of the output, counted through all images, and one panel of its channels.
  void (*direct)(const Convolution&, const View& in, const View& out, int begin, int end, int panel);
  // Tiles [begin, end) of the output, counted through all images, and one panel of its channels.
  void (*winograd)(const Convolution&, const View& in, const View& out, int begin, int end, int panel,
                   Scratch&);
  // Mean over the window of a view: [height,width,channels] -> [channels].
  void (*mean)(const View& in, int height, int width, int channels, float* out);
};

// Null where the machine lacks the instructions.
const Kernels* baseline_kernels();
const Kernels* avx2_kernels();
const Kernels* avx512_kernels();

}  // namespace stainfold::cpu
