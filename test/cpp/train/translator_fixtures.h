// What the tests of translators share: two sites that differ in colour alone.
#pragma once

#include "stainfold/translator_trainer.h"
#include "train/fixtures.h"

namespace stainfold::testing {

// Small enough for a step in some ten milliseconds.
inline TranslatorTrainOptions small_translator() {
  TranslatorTrainOptions options;
  options.model = {32, 8, 1, 8, 2};
  options.pool = 8;
  options.total_steps = 40;
  options.constant_steps = 20;
  options.device = "cpu";
  return options;
}

inline at::Tensor source_tiles(std::int64_t count, std::uint64_t seed) {
  return synthetic_tiles(count, 32, seed);
}

// The same tissue as another site stains it: less red, more blue, paler.
inline at::Tensor restained(const at::Tensor& tiles) {
  const at::Tensor gain = at::tensor({0.55f, 0.85f, 1.0f});
  return (tiles.to(at::kFloat) * gain).round().clamp(0, 255).to(at::kByte);
}

inline at::Tensor target_tiles(std::int64_t count, std::uint64_t seed) {
  return restained(source_tiles(count, seed + 1000003));
}

}  // namespace stainfold::testing
