#include "stainfold/translator.h"

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <torch/nn/module.h>

#include "models/generator.h"
#include "models/weights.h"
#include "testing.h"

using namespace stainfold;
using namespace stainfold::testing;

namespace {

TranslatorOptions served() {
  TranslatorOptions options;
  options.model = {32, 8, 1, 8, 2};
  options.device = "cpu";
  return options;
}

std::vector<NamedTensor> translator_weights(std::uint64_t seed) {
  std::vector<NamedTensor> list;
  for (const char* prefix : {"to_source.", "to_target."}) {
    Generator generator(8, 1);
    initialise(generator, seed++, 0.05);
    append_weights(list, prefix, generator);
  }
  list.push_back({"trainer.step", at::ones({1}, at::kLong)});  // others are ignored
  return list;
}

at::Tensor noise_tiles(std::int64_t count, std::int64_t side) {
  const at::Generator generator = at::make_generator<at::CPUGeneratorImpl>(5);
  return at::randint(256, {count, side, side, 3}, generator, at::kByte);
}

}  // namespace

TEST_CASE("each direction has its own generator, whose painting comes out in bytes") {
  const auto weights = translator_weights(1);
  const Translator translator(served(), weights);
  const at::Tensor tiles = noise_tiles(3, 32);
  const at::Tensor as_source = translator.translate(tiles, Appearance::source);
  const at::Tensor as_target = translator.translate(tiles, Appearance::target);
  CHECK((as_source.scalar_type() == at::kByte));
  CHECK(as_source.sizes() == tiles.sizes());
  CHECK_FALSE(at::equal(as_source, as_target));

  Generator generator(8, 1);
  initialise(generator, 1, 0.05);  // the first seed: to_source
  const at::NoGradGuard no_grad;
  const at::Tensor image = tiles.permute({0, 3, 1, 2}).to(at::kFloat) / 127.5 - 1.0;
  const at::Tensor expected = ((generator.forward(image) + 1.0) * 127.5).permute({0, 2, 3, 1});
  CHECK(largest_difference(as_source.to(at::kFloat), expected) <= 0.501);  // rounding, and no more
}

TEST_CASE("a translated tile does not depend on its batch mates") {
  const Translator translator(served(), translator_weights(1));
  const at::Tensor tiles = noise_tiles(5, 32);
  const at::Tensor together = translator.translate(tiles, Appearance::source).to(at::kInt);
  for (std::int64_t i = 0; i < tiles.size(0); ++i) {
    const at::Tensor alone = translator.translate(tiles.narrow(0, i, 1), Appearance::source).to(at::kInt);
    CHECK(largest_difference(alone, together.narrow(0, i, 1)) <=
          1);  // a sum in another order may round otherwise
  }
}

TEST_CASE("a translator takes tiles of other sizes, and says which it cannot") {
  const Translator translator(served(), translator_weights(1));
  CHECK(translator.translate(noise_tiles(1, 48), Appearance::source).sizes() ==
        at::IntArrayRef({1, 48, 48, 3}));
  CHECK(code_of([&] { translator.translate(noise_tiles(1, 34), Appearance::source); }) == ErrorCode::shape);
  CHECK(code_of([&] { translator.translate(noise_tiles(1, 4), Appearance::source); }) == ErrorCode::shape);
}

TEST_CASE("weights of another size, or of one direction only, are refused") {
  auto options = served();
  options.model.width = 16;
  CHECK(code_of([&] { Translator(options, translator_weights(1)); }) == ErrorCode::weights);
  auto half = translator_weights(1);
  std::erase_if(half, [](const NamedTensor& item) { return item.name.starts_with("to_target."); });
  CHECK(code_of([&] { Translator(served(), half); }) == ErrorCode::weights);
}
