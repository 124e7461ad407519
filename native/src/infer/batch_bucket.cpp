#include <algorithm>

#include "infer/graph_engine.h"

namespace stainfold {
namespace {

constexpr std::int64_t kMostTiles = 256;            // a large GPU is full well before
constexpr std::int64_t kMostPixelBytes = 64 << 20;  // pinned memory is scarce, and there are two buffers
constexpr std::int64_t kShareOfFree = 4;            // a quarter: others may want memory as well

// What lives at once where activations are largest, behind the stem: its input, and three maps of its output.
std::int64_t activation_bytes(const ModelConfig& model, std::int64_t element_bytes) {
  const std::int64_t pixels = model.tile_size * model.tile_size;
  const std::int64_t input = pixels * 3 * (1 + 2 * 4 + element_bytes);  // bytes, float32 twice, precision
  return input + 3 * (pixels / 4) * architecture(model.size).stem * element_bytes;
}

}  // namespace

std::int64_t batch_bucket(std::int64_t count, std::int64_t largest) {
  std::int64_t bucket = 1;
  while (bucket < count && bucket < largest) bucket *= 2;
  return bucket;
}

std::int64_t largest_batch(const ModelConfig& model, std::int64_t element_bytes, std::int64_t free_bytes) {
  const std::int64_t by_memory = free_bytes / kShareOfFree / activation_bytes(model, element_bytes);
  const std::int64_t by_pixels = kMostPixelBytes / (model.tile_size * model.tile_size * 3);
  const std::int64_t most = std::clamp<std::int64_t>(std::min(by_memory, by_pixels), 1, kMostTiles);
  std::int64_t largest = 1;
  while (2 * largest <= most) largest *= 2;
  return largest;
}

}  // namespace stainfold
