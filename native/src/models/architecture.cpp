#include "core/checks.h"
#include "stainfold/models.h"

namespace stainfold {

// Widths are multiples of 16 and decoder grids of 48, so that vectorised and tensor-core kernels see whole
// blocks.
const std::vector<Architecture>& architectures() {
  static const std::vector<Architecture> table{
      //  name    stem  widths               blocks        latent  decoder
      {"tiny", 16, {32, 64, 112, 192}, {1, 1, 2, 1}, 128, 96},
      {"small", 32, {48, 96, 192, 320}, {2, 2, 3, 2}, 256, 144},
      {"base", 64, {64, 128, 320, 512}, {3, 4, 6, 3}, 512, 192},
  };
  return table;
}

const Architecture& architecture(const std::string& name) {
  std::string names;
  for (const Architecture& row : architectures()) {
    if (row.name == name) return row;
    names += (names.empty() ? "" : ", ") + row.name;
  }
  throw Error(ErrorCode::option, "model size must be one of " + names + ", got '" + name + "'");
}

void check(const ModelConfig& config) {
  architecture(config.size);
  check_option(config.latent >= 1 && config.latent <= 8192,
               "latent must be in [1, 8192], got " + std::to_string(config.latent));
  check_option(config.tile_size >= 32 && config.tile_size <= 4096 && config.tile_size % 32 == 0,
               "tile size must be a multiple of 32 in [32, 4096], got " + std::to_string(config.tile_size));
}

namespace {

void check_range(const char* name, std::int64_t value, std::int64_t least, std::int64_t most) {
  check_option(value >= least && value <= most, std::string(name) + " must be in [" + std::to_string(least) +
                                                    ", " + std::to_string(most) + "], got " +
                                                    std::to_string(value));
}

}  // namespace

void check(const TranslatorConfig& config) {
  check_option(config.tile_size >= 32 && config.tile_size <= 4096 && config.tile_size % 32 == 0,
               "tile size must be a multiple of 32 in [32, 4096], got " + std::to_string(config.tile_size));
  check_range("generator width", config.width, 1, 512);
  check_range("generator blocks", config.blocks, 1, 64);
  check_range("judge width", config.judge_width, 1, 512);
  check_range("judge layers", config.judge_layers, 1, 8);
  // Below 3 its last norm would see one position, whose deviation is 0.
  check_option(config.tile_size >> config.judge_layers >= 3,
               "judge layers must leave a grid of 3 x 3 at least of tiles of " +
                   std::to_string(config.tile_size) + " px, got " + std::to_string(config.judge_layers));
}

}  // namespace stainfold
