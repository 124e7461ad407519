#include "models/precision.h"

#include "testing.h"

using namespace stainfold;
using stainfold::testing::code_of;

TEST_CASE("precision resolves by device, and never silently") {
  const at::Device cpu(at::kCPU);
  CHECK(precision_name(resolve_precision("auto", cpu)) == "fp32");
  CHECK(precision_name(resolve_precision("fp32", cpu)) == "fp32");
  CHECK(precision_name(resolve_precision("bf16", cpu)) == "bf16");
  CHECK(code_of([&] { resolve_precision("fp16", cpu); }) == ErrorCode::option);
  CHECK(code_of([&] { resolve_precision("fp64", cpu); }) == ErrorCode::option);
}
