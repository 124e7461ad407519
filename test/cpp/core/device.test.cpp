#include "stainfold/device.h"

#include <c10/core/Device.h>

#include "core/checks.h"
#include "testing.h"

using namespace stainfold;

using stainfold::testing::code_of;

TEST_CASE("a CUDA device that cannot be had is an error, never a silent CPU") {
  CHECK(resolve_device("cpu").is_cpu());
  CHECK(code_of([] { resolve_device("gpu"); }) == ErrorCode::device);
  CHECK(code_of([] { resolve_device("cuda:x"); }) == ErrorCode::device);
  CHECK(code_of([] { resolve_device("cuda:4095"); }) == ErrorCode::device);
  const Status now = status();
  if (!now.cuda_unavailable.empty()) {
    CHECK(code_of([] { resolve_device("cuda"); }) == ErrorCode::device);
    CHECK(resolve_device("auto").is_cpu());
  } else {
    CHECK(resolve_device("auto").is_cuda());
  }
}

TEST_CASE("status names the LibTorch it runs with") {
  const Status now = status();
  CHECK(now.libtorch.substr(0, 2) == "2.");
  CHECK(now.threads >= 1);
  CHECK(now.cuda_compiled == !now.cuda_version.empty());
}

TEST_CASE("shape errors state what was expected and what came") {
  try {
    check_shape(at::zeros({2, 3}), "z", {-1, 4});
    FAIL("no error was thrown");
  } catch (const Error& error) {
    CHECK(std::string(error.what()) == "z must have shape [*,4], got [2,3]");
  }
  CHECK(code_of([] { check_tiles(at::zeros({1, 4, 4, 3})); }) == ErrorCode::dtype);
  CHECK(code_of([] { check_tiles(at::zeros({0, 4, 4, 3}, at::kByte)); }) == ErrorCode::shape);
}
