#include "models/decoder.h"
#include "models/encoder.h"
#include "stainfold/models.h"
#include "testing.h"

using namespace stainfold;
using stainfold::testing::code_of;

namespace {

ModelConfig config_of(const std::string& size) {
  ModelConfig config;
  config.size = size;
  config.latent = architecture(size).latent;
  return config;
}

double millions(const torch::nn::Module& module) {
  double count = 0;
  for (const at::Tensor& weight : module.parameters()) count += static_cast<double>(weight.numel());
  return count / 1e6;
}

}  // namespace

TEST_CASE("the sizes hold the parameters that their names promise") {
  struct Bounds {
    std::string size;
    double low, high;
  };
  for (const Bounds& bounds :
       {Bounds{"tiny", 1.0, 1.2}, Bounds{"small", 5.5, 6.5}, Bounds{"base", 24.0, 27.0}}) {
    const double encoder = millions(Encoder(config_of(bounds.size)));
    const double decoder = millions(Decoder(config_of(bounds.size)));
    MESSAGE(bounds.size, ": encoder ", encoder, " M, decoder ", decoder, " M");
    CHECK(encoder >= bounds.low);
    CHECK(encoder <= bounds.high);
    CHECK(decoder < encoder);
  }
}

TEST_CASE("channels come in blocks that vectorised kernels like") {
  for (const Architecture& row : architectures()) {
    CHECK(row.stem % 16 == 0);
    CHECK(row.decoder % 48 == 0);
    for (const std::int64_t width : row.widths) CHECK(width % 16 == 0);
  }
}

TEST_CASE("a configuration that cannot be built is an error that says why") {
  CHECK_NOTHROW(check(ModelConfig{}));
  CHECK(code_of([] { architecture("huge"); }) == ErrorCode::option);
  CHECK(code_of([] { check({"tiny", 0, 128}); }) == ErrorCode::option);
  CHECK(code_of([] { check({"tiny", 128, 100}); }) == ErrorCode::option);
  CHECK(code_of([] { check({"tiny", 128, 0}); }) == ErrorCode::option);
  CHECK(code_of([] { Encoder({"tiny", 128, 48}); }) == ErrorCode::option);
  try {
    architecture("huge");
  } catch (const Error& error) {
    CHECK(std::string(error.what()) == "model size must be one of tiny, small, base, got 'huge'");
  }
}
