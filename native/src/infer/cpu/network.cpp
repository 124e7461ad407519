#include "infer/cpu/network.h"

#include <ATen/ops/cat.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <map>
#include <string>

#include "models/grid.h"
#include "models/weights.h"

namespace stainfold::cpu {
namespace {

// Tiles of 4 x 4 pixels that a group has in the last stage, at least: the largest weights are read once for
// them.
constexpr int kGroupTiles = 32;

int to_int(std::int64_t value) { return static_cast<int>(value); }

// Outputs a side of Winograd's tiles. The larger take 4 times fewer multiplications than the sum itself, the
// smaller 2.25, with 4 and 1.8 times its weights: where an image has less than a block of large tiles,
// reading weights costs more than the multiplications that they save.
int winograd_tile(int extent) {
  const int across = winograd_tiles(extent, 4);
  return across * across >= winograd_block(4) ? 4 : 2;
}

// [out,in,3,3] -> G g G^T, [points,in,out]: Lavin and Gray 2016, at 0, 1, -1 and for the larger 2, -2.
at::Tensor winograd_weights(const at::Tensor& weight, int tile) {
  const std::vector<double> large{1.0 / 4,  0,         0,        -1.0 / 6, -1.0 / 6, -1.0 / 6,
                                  -1.0 / 6, 1.0 / 6,   -1.0 / 6, 1.0 / 24, 1.0 / 12, 1.0 / 6,
                                  1.0 / 24, -1.0 / 12, 1.0 / 6,  0,        0,        1};
  const std::vector<double> small{1, 0, 0, 0.5, 0.5, 0.5, 0.5, -0.5, 0.5, 0, 0, 1};
  const at::Tensor g = at::tensor(tile == 4 ? large : small, at::kDouble).view({-1, 3});
  const at::Tensor points = at::matmul(at::matmul(g, weight.to(at::kDouble)), g.t());  // [out,in,side,side]
  return points.flatten(2).permute({2, 1, 0});
}

// [out,in,k,k] -> [k*k,in,out]
at::Tensor plain_weights(const at::Tensor& weight) { return weight.flatten(2).permute({2, 1, 0}); }

// Reads an encoder's weights by name and packs them as the kernels take them.
class Packer {
 public:
  Packer(const Encoder& encoder, int panel, std::vector<Memory>& memory) : panel_(panel), memory_(memory) {
    std::vector<NamedTensor> list;
    append_weights(list, "", encoder);
    for (const NamedTensor& item : list) weights_[item.name] = item.value.detach();
  }

  const at::Tensor& named(const std::string& name) const { return weights_.at(name); }

  Convolution convolution(const std::string& name, int stride, int side) {
    const at::Tensor& weight = named(name + ".weight");
    return convolution(weight, named(name + ".folded_bias"), stride, side);
  }

  Convolution convolution(const at::Tensor& weight, const at::Tensor& bias, int stride, int side) {
    Convolution c{};
    c.in = to_int(weight.size(1));
    c.out = (to_int(weight.size(0)) + 15) / 16 * 16;
    c.kernel = to_int(weight.size(2));
    c.stride = stride;
    c.height = c.width = side;
    c.winograd = c.kernel == 3 && stride == 1 ? winograd_tile(side) : 0;
    c.weights = panels(c.winograd > 0 ? winograd_weights(weight, c.winograd) : plain_weights(weight), c.out);
    c.bias = kept(bias.view({1, -1}), c.out);
    return c;
  }

 private:
  // [points,in,out] -> one panel of outputs after the other, each [points,in,panel]
  const float* panels(const at::Tensor& weights, int out) {
    const std::int64_t rows = weights.size(0) * weights.size(1);
    const at::Tensor padded = padded_to(weights.reshape({rows, weights.size(2)}), out);
    float* to = reserved(rows * out);
    const float* const begin = to;
    for (int first = 0; first < out; first += panel_) {
      const int width = std::min(panel_, out - first);
      at::from_blob(to, {rows, width}, at::kFloat).copy_(padded.narrow(1, first, width));
      to += rows * width;
    }
    return begin;
  }

  const float* kept(const at::Tensor& row, int size) {
    float* const to = reserved(size);
    at::from_blob(to, {1, size}, at::kFloat).copy_(padded_to(row, size));
    return to;
  }

  static at::Tensor padded_to(const at::Tensor& x, int columns) {
    if (x.size(1) == columns) return x;
    at::Tensor wide = at::zeros({x.size(0), columns}, x.options());
    wide.narrow(1, 0, x.size(1)).copy_(x);
    return wide;
  }

  float* reserved(std::int64_t floats) {
    return memory_.emplace_back(static_cast<std::size_t>(floats)).data();
  }

  const int panel_;
  std::vector<Memory>& memory_;
  std::map<std::string, at::Tensor> weights_;
};

// Features of the layout are ordered by channel in the encoder and by place here.
at::Tensor reordered_head(const at::Tensor& weight, std::int64_t means) {
  const at::Tensor layout = weight.narrow(1, means, weight.size(1) - means)
                                .view({weight.size(0), -1, kLayout * kLayout})
                                .transpose(1, 2)
                                .flatten(1);
  return at::cat({weight.narrow(1, 0, means), layout}, 1).view({weight.size(0), weight.size(1), 1, 1});
}

}  // namespace

Network::Network(const Encoder& encoder, const ModelConfig& config, const Kernels& chosen)
    : kernels(chosen), side(to_int(config.tile_size)), latent(to_int(config.latent)) {
  const Architecture& size = architecture(config.size);
  Packer packer(encoder, kernels.panel, memory_);
  const auto add = [&](const std::string& name, int stride, int from, int to) {
    steps.push_back(
        {packer.convolution(name, stride, activations[static_cast<std::size_t>(to)].height), from, to});
    return &steps.back().convolution;
  };

  int extent = side / 2, from = 1;
  activations = {{side, side, 3}, {extent, extent, to_int(size.stem)}};
  add("stem", 2, 0, 1)->relu = true;
  alone = 1;
  for (std::size_t s = 0; s < size.widths.size(); ++s) {
    extent /= 2;
    const int x = to_int(activations.size()), y = x + 1;
    for (int i = 0; i < 2; ++i) activations.push_back({extent, extent, to_int(size.widths[s])});
    for (int b = 0; b < size.blocks[s]; ++b) {
      const std::string block = "stage" + std::to_string(s + 1) + "." + std::to_string(b);
      if (b == 0) add(block + ".skip", 2, from, x);
      add(block + ".conv1", b == 0 ? 2 : 1, b == 0 ? from : x, y)->relu = true;
      Convolution* const second = add(block + ".conv2", 1, y, x);
      second->add = second->relu = true;
    }
    from = x;
    if (winograd_tile(extent) == 4) alone = to_int(steps.size());
  }
  const int across = winograd_tiles(extent, 4);
  group = (kGroupTiles + across * across - 1) / (across * across);

  layout = packer.convolution("layout", 1, extent);
  const at::Tensor head_weight = reordered_head(packer.named("head.weight"), size.widths.back());
  features = to_int(head_weight.size(1));
  head = packer.convolution(head_weight, packer.named("head.bias"), 1, 1);
}

std::size_t Network::weight_bytes() const {
  std::size_t bytes = 0;
  for (const Memory& block : memory_) bytes += block.bytes();
  return bytes;
}

}  // namespace stainfold::cpu
