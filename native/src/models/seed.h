// Independent random streams from one seed, and what each is for: training and inference must agree on what
// a seed means.
#pragma once

#include <cstdint>

namespace stainfold {

// A stream's number is part of what a seed means: append, never reorder.
enum class SeedStream : std::uint64_t {
  encoder,
  decoder,
  discriminator,
  views,
  to_source,
  to_target,
  source_judge,
  target_judge,
  translator_geometry,
  translator_pool,
};

// SplitMix64's finaliser (Steele, Lea & Flood 2014): neighbouring (seed, stream) pairs give unrelated seeds.
inline std::uint64_t mix_seed(std::uint64_t seed, std::uint64_t stream) {
  std::uint64_t x = seed + (stream + 1) * 0x9E3779B97F4A7C15ull;
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9ull;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBull;
  return x ^ (x >> 31);
}

inline std::uint64_t stream_seed(std::uint64_t seed, SeedStream stream) {
  return mix_seed(seed, static_cast<std::uint64_t>(stream));
}

}  // namespace stainfold
