// Named sizes and the configuration that a checkpoint records. The modules themselves are in
// native/src/models.
#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <cstdint>
#include <string>
#include <vector>

namespace stainfold {

// One row of the table of sizes. Stage s has blocks[s] residual blocks of widths[s] channels at stride 4 <<
// s.
struct Architecture {
  std::string name;   // "tiny", "small", "base"
  std::int64_t stem;  // channels after the stem, stride 2
  std::array<std::int64_t, 4> widths;
  std::array<std::int64_t, 4> blocks;
  std::int64_t latent;   // default latent dimension
  std::int64_t decoder;  // channels of the decoder's coarsest grid
};

const std::vector<Architecture>& architectures();
// Throws ErrorCode::option, naming the sizes there are.
const Architecture& architecture(const std::string& name);

struct ModelConfig {
  std::string size = "tiny";
  std::int64_t latent = 128;     // d
  std::int64_t tile_size = 128;  // pixels, a multiple of 32
};

// Throws ErrorCode::option where the configuration cannot be built.
void check(const ModelConfig& config);

// Sizes of a translator between the appearances of two sites: Johnson et al. 2016's generator and a PatchGAN
// judge. The paper's sizes are width 64 with 6 blocks (9 from 256 px on) and a judge of width 64 with 3
// layers.
struct TranslatorConfig {
  std::int64_t tile_size = 128;  // pixels, a multiple of 32
  std::int64_t width = 64;       // channels of the generators' stem
  std::int64_t blocks = 6;       // residual blocks of the generators
  std::int64_t judge_width = 64;
  std::int64_t judge_layers = 3;  // strided ones: patches of 16, 34, 70, 142 pixels for 1 to 4
};

// Throws ErrorCode::option where the configuration cannot be built.
void check(const TranslatorConfig& config);

// A parameter or buffer by its path, "encoder.stage1.0.conv1.weight".
struct NamedTensor {
  std::string name;
  at::Tensor value;
};

}  // namespace stainfold
