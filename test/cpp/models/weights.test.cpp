#include "models/weights.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/nn/module.h>

#include "models/encoder.h"
#include "testing.h"

using namespace stainfold;
using stainfold::testing::code_of;

namespace {

std::vector<NamedTensor> weights_of(const torch::nn::Module& module) {
  std::vector<NamedTensor> list;
  append_weights(list, "encoder.", module);
  return list;
}

}  // namespace

TEST_CASE("weights are named by their path and are views of the module's memory") {
  Encoder encoder({"tiny", 16, 32});
  initialise(encoder, 1);
  bool found = false;
  for (const NamedTensor& item : weights_of(encoder)) {
    if (item.name != "encoder.stage1.0.conv1.weight") continue;
    found = true;
    CHECK(item.value.sizes() == at::IntArrayRef({32, 16, 3, 3}));
    CHECK(item.value.is_contiguous());
    CHECK_FALSE(item.value.requires_grad());
    at::Tensor(item.value).zero_();
  }
  REQUIRE(found);
  CHECK(encoder.named_parameters()["stage1.0.conv1.weight"].abs().sum().item<float>() == 0.0f);
}

TEST_CASE("weights that do not fit are refused, and nothing is written") {
  Encoder from({"tiny", 16, 32}), to({"tiny", 16, 32});
  initialise(from, 1);
  initialise(to, 2);
  const auto good = weights_of(from);
  const at::Tensor before = to.parameters().front().detach().clone();

  auto missing = good;
  missing.pop_back();
  auto misshapen = good;
  misshapen.back().value = at::zeros({1});
  auto mistyped = good;
  mistyped.back().value = mistyped.back().value.to(at::kDouble);
  auto doubled = good;
  doubled.push_back(good.front());
  for (const auto& bad : {missing, misshapen, mistyped, doubled}) {
    CHECK(code_of([&] { copy_weights(weights_of(to), bad); }) == ErrorCode::weights);
    CHECK(at::equal(to.parameters().front(), before));
  }
  copy_weights(weights_of(to), good);
  CHECK(at::equal(to.parameters().front(), from.parameters().front()));
}
