// The kernels for vectors of Lanes floats, in the vector extension that GCC and Clang share. Included by one
// file an instruction set; everything has internal linkage, for the reason that kernels.h gives.
#pragma once

#include "infer/cpu/kernels.h"

namespace stainfold::cpu {
namespace {

// Lanes: floats in a register. Rows: pixels computed at a time, each with two registers of output channels,
// so that 2 * Rows sums, 2 weights and a pixel fill the register file.
template <int Lanes, int Rows>
struct Vectorised {
  typedef float Vector __attribute__((vector_size(Lanes * sizeof(float)), may_alias));
  static constexpr int kPanel = 2 * Lanes;
  static constexpr int kLine = 16;  // floats of a cache line
  // Weights are fetched so many floats before their use: nothing of a layer is in the second cache when its
  // turn comes, and the hardware's own fetching starts anew on every page.
  static constexpr int kAhead = 512;

  static Vector load(const float* from) { return *reinterpret_cast<const Vector*>(from); }
  static void store(float* to, Vector value) { *reinterpret_cast<Vector*>(to) = value; }
  static Vector positive(Vector x) { return x > 0.0f ? x : Vector{}; }

  // A matrix product whose left rows are runs of a picture: row i is `segments` runs of `length` floats,
  // the runs `segment` floats apart and the rows `a_row`.
  struct Product {
    const float* a;
    std::ptrdiff_t a_row, segment;
    int segments, length;
    const float* b;  // [segments * length][panel]
    float* c;
    std::ptrdiff_t c_row;
    const float* bias;  // null: the sums alone
    bool relu, add;
  };

  template <int M, int N>
  static void block(const Product& p, const float* a, float* c) {
    Vector sum[M][N];
#pragma GCC unroll 16
    for (int i = 0; i < M; ++i)
#pragma GCC unroll 2
      for (int j = 0; j < N; ++j) sum[i][j] = Vector{};
    const float* b = p.b;
    const std::ptrdiff_t row = p.a_row;
    for (int s = 0; s < p.segments; ++s, a += p.segment) {
      // Three rows a pointer: the other two are reached by the address's own index.
      const float* base[(M + 2) / 3];
#pragma GCC unroll 16
      for (int i = 0; i < (M + 2) / 3; ++i) base[i] = a + 3 * i * row;
      for (int k = 0; k < p.length; ++k, b += N * Lanes) {
        Vector weight[N];
#pragma GCC unroll 2
        for (int j = 0; j < N; ++j) weight[j] = load(b + j * Lanes);
        for (int j = 0; j < N * Lanes; j += kLine) __builtin_prefetch(b + kAhead + j);
#pragma GCC unroll 16
        for (int i = 0; i < M; ++i) {
          const float x = base[i / 3][(i % 3) * row];
#pragma GCC unroll 2
          for (int j = 0; j < N; ++j) sum[i][j] += x * weight[j];
        }
#pragma GCC unroll 16
        for (int i = 0; i < (M + 2) / 3; ++i) ++base[i];
      }
    }
#pragma GCC unroll 16
    for (int i = 0; i < M; ++i)
#pragma GCC unroll 2
      for (int j = 0; j < N; ++j) {
        float* const to = c + i * p.c_row + j * Lanes;
        Vector y = sum[i][j];
        if (p.bias != nullptr) y += load(p.bias + j * Lanes);
        if (p.add) y += load(to);
        store(to, p.relu ? positive(y) : y);
      }
  }

  using Block = void (*)(const Product&, const float*, float*);
  template <int N>
  static Block block_of(int rows) {
    static_assert(Rows <= 14);
    static constexpr Block table[] = {
        block<1, N>,
        block<2, N>,
        block<3, N>,
        block<4, N>,
        block<5, N>,
        block<6, N>,
        block < Rows < 7 ? 1 : 7,
        N >,
        block < Rows < 8 ? 1 : 8,
        N >,
        block < Rows < 9 ? 1 : 9,
        N >,
        block < Rows < 10 ? 1 : 10,
        N >,
        block < Rows < 11 ? 1 : 11,
        N >
        , block < Rows < 12 ? 1 : 12, N >, block < Rows < 13 ? 1 : 13, N >, block < Rows < 14 ? 1 : 14, N > };
    return table[rows - 1];
  }

  // Blocks of equal height, rather than full ones and a rest.
  static void multiply(const Product& p, int rows, int vectors) {
    const int blocks = (rows + Rows - 1) / Rows;
    for (int i = 0; i < blocks; ++i) {
      const int begin = rows * i / blocks, end = rows * (i + 1) / blocks;
      const Block call = vectors == 2 ? block_of<2>(end - begin) : block_of<1>(end - begin);
      call(p, p.a + begin * p.a_row, p.c + begin * p.c_row);
    }
  }

  static int vectors_of(const Convolution& conv, int panel) {
    return conv.out - panel * kPanel > Lanes ? 2 : 1;
  }

  static void direct(const Convolution& conv, const View& in, const View& out, int begin, int end,
                     int panel) {
    const int border = conv.kernel / 2;
    Product p;
    p.a_row = conv.stride * in.pixel;
    p.segment = in.row;
    p.segments = conv.kernel;
    p.length = conv.kernel * conv.in;  // a row of the kernel is one run of pixels
    p.b = conv.weights + static_cast<std::ptrdiff_t>(panel) * kPanel * conv.kernel * conv.kernel * conv.in;
    p.bias = conv.bias + panel * kPanel;
    p.c_row = out.pixel;
    p.relu = conv.relu;
    p.add = conv.add;
    for (int r = begin; r < end; ++r) {
      const int image = r / conv.height, y = r % conv.height;
      p.a = in.origin + image * in.image + (y * conv.stride - border) * in.row - border * in.pixel;
      p.c = out.origin + image * out.image + y * out.row + panel * kPanel;
      multiply(p, conv.width, vectors_of(conv, panel));
    }
  }

  // One side of B^T d B, and of A^T m A, for F(4x4,3x3) and F(2x2,3x3): Lavin and Gray 2016.
  static void input_side(const Vector (&d)[6], Vector (&v)[6]) {
    const Vector a = d[4] - 4.0f * d[2], b = d[3] - 4.0f * d[1];
    const Vector e = d[4] - d[2], f = 2.0f * (d[3] - d[1]);
    v[0] = 4.0f * d[0] - 5.0f * d[2] + d[4];
    v[1] = a + b;
    v[2] = a - b;
    v[3] = e + f;
    v[4] = e - f;
    v[5] = 4.0f * d[1] - 5.0f * d[3] + d[5];
  }
  static void input_side(const Vector (&d)[4], Vector (&v)[4]) {
    v[0] = d[0] - d[2];
    v[1] = d[1] + d[2];
    v[2] = d[2] - d[1];
    v[3] = d[1] - d[3];
  }
  static void output_side(const Vector (&m)[6], Vector (&y)[4]) {
    const Vector a = m[1] + m[2], b = m[1] - m[2], e = m[3] + m[4], f = m[3] - m[4];
    y[0] = m[0] + a + e;
    y[1] = b + 2.0f * f;
    y[2] = a + 4.0f * e;
    y[3] = b + 8.0f * f + m[5];
  }
  static void output_side(const Vector (&m)[4], Vector (&y)[2]) {
    y[0] = m[0] + m[1] + m[2];
    y[1] = m[1] - m[2] - m[3];
  }

  struct Place {
    int image, y, x;  // of a tile's first output
  };
  static Place place_of(const Convolution& conv, int tile) {
    const int across = winograd_tiles(conv.width, conv.winograd);
    const int down = winograd_tiles(conv.height, conv.winograd);
    return {tile / (across * down), tile / across % down * conv.winograd, tile % across * conv.winograd};
  }

  template <int Tile>
  static void transform_inputs(const Convolution& conv, const View& in, int begin, int end, float* inputs) {
    constexpr int kSide = Tile + 2;
    const std::ptrdiff_t point = winograd_point(end - begin, conv.in);
    for (int t = begin; t < end; ++t) {
      const Place place = place_of(conv, t);
      const float* const from =
          in.origin + place.image * in.image + (place.y - 1) * in.row + (place.x - 1) * in.pixel;
      float* const to = inputs + static_cast<std::ptrdiff_t>(t - begin) * conv.in;
      for (int c = 0; c < conv.in; c += Lanes) {
        Vector half[kSide][kSide];
        for (int x = 0; x < kSide; ++x) {
          Vector d[kSide], v[kSide];
#pragma GCC unroll 6
          for (int y = 0; y < kSide; ++y) d[y] = load(from + y * in.row + x * in.pixel + c);
          input_side(d, v);
#pragma GCC unroll 6
          for (int y = 0; y < kSide; ++y) half[y][x] = v[y];
        }
        for (int y = 0; y < kSide; ++y) {
          Vector v[kSide];
          input_side(half[y], v);
#pragma GCC unroll 6
          for (int x = 0; x < kSide; ++x) store(to + (kSide * y + x) * point + c, v[x]);
        }
      }
    }
  }

  template <int Tile>
  static void transform_outputs(const Convolution& conv, const View& out, int begin, int end, int panel,
                                const float* outputs, int width) {
    constexpr int kSide = Tile + 2;
    const std::ptrdiff_t point = winograd_point(end - begin, width);
    const float* const bias = conv.bias + panel * kPanel;
    for (int t = begin; t < end; ++t) {
      const Place place = place_of(conv, t);
      const int rows = conv.height - place.y < Tile ? conv.height - place.y : Tile;
      const int columns = conv.width - place.x < Tile ? conv.width - place.x : Tile;
      const float* const from = outputs + static_cast<std::ptrdiff_t>(t - begin) * width;
      float* const to =
          out.origin + place.image * out.image + place.y * out.row + place.x * out.pixel + panel * kPanel;
      for (int c = 0; c < width; c += Lanes) {
        Vector half[Tile][kSide];
        for (int x = 0; x < kSide; ++x) {
          Vector m[kSide], column[Tile];
#pragma GCC unroll 6
          for (int y = 0; y < kSide; ++y) m[y] = load(from + (kSide * y + x) * point + c);
          output_side(m, column);
#pragma GCC unroll 4
          for (int y = 0; y < Tile; ++y) half[y][x] = column[y];
        }
        const Vector shift = load(bias + c);
        for (int y = 0; y < rows; ++y) {
          Vector row[Tile];
          output_side(half[y], row);
          float* const pixel = to + y * out.row + c;
#pragma GCC unroll 4
          for (int x = 0; x < Tile; ++x) {
            if (x >= columns) break;
            Vector value = row[x] + shift;
            if (conv.add) value += load(pixel + x * out.pixel);
            store(pixel + x * out.pixel, conv.relu ? positive(value) : value);
          }
        }
      }
    }
  }

  template <int Tile>
  static void winograd_panel(const Convolution& conv, const View& in, const View& out, int begin, int end,
                             int panel, Scratch& scratch) {
    if (scratch.held != begin) transform_inputs<Tile>(conv, in, begin, end, scratch.inputs);
    scratch.held = begin;
    constexpr int kPoints = winograd_points(Tile);
    const int vectors = vectors_of(conv, panel), width = vectors * Lanes, tiles = end - begin;
    const std::ptrdiff_t from = winograd_point(tiles, conv.in), to = winograd_point(tiles, width);
    const float* const weights =
        conv.weights + static_cast<std::ptrdiff_t>(panel) * kPanel * kPoints * conv.in;
    Product p{};
    p.a_row = conv.in;
    p.segments = 1;
    p.length = conv.in;
    p.c_row = width;
    for (int i = 0; i < kPoints; ++i) {
      p.a = scratch.inputs + i * from;
      p.b = weights + static_cast<std::ptrdiff_t>(i) * conv.in * width;
      p.c = scratch.outputs + i * to;
      multiply(p, tiles, vectors);
    }
    transform_outputs<Tile>(conv, out, begin, end, panel, scratch.outputs, width);
  }

  static void winograd(const Convolution& conv, const View& in, const View& out, int begin, int end,
                       int panel, Scratch& scratch) {
    const auto call = conv.winograd == 4 ? winograd_panel<4> : winograd_panel<2>;
    call(conv, in, out, begin, end, panel, scratch);
  }

  static void pixels(const std::uint8_t* tile, int height, int width, float scale, float shift,
                     const View& out) {
    for (int y = 0; y < height; ++y) {
      const std::uint8_t* const from = tile + static_cast<std::ptrdiff_t>(y) * width * 3;
      float* const to = out.origin + y * out.row;
      for (int i = 0; i < 3 * width; ++i) to[i] = static_cast<float>(from[i]) * scale + shift;
    }
  }

  static void mean(const View& in, int height, int width, int channels, float* out) {
    const float share = 1.0f / static_cast<float>(height * width);
    for (int c = 0; c < channels; c += Lanes) {
      Vector sum{};
      for (int y = 0; y < height; ++y)
        for (int x = 0; x < width; ++x) sum += load(in.origin + y * in.row + x * in.pixel + c);
      store(out + c, share * sum);
    }
  }

  static constexpr Kernels table(const char* name) { return {name, kPanel, pixels, direct, winograd, mean}; }
};

}  // namespace
}  // namespace stainfold::cpu
