// LibTorch's own resampling is the slow reference.
#include "models/grid.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/nn/module.h>

#include "testing.h"

using namespace stainfold;
using stainfold::testing::relative_error;

TEST_CASE("resampling by matrices equals LibTorch's, in value and gradient") {
  for (const std::int64_t side : {1, 2, 3, 4, 7, 16}) {
    CAPTURE(side);
    const at::Tensor fine = at::randn({2, 3, side, side}).requires_grad_();
    const at::Tensor pooled = GridResample::average_pool(side, kLayout)(fine);
    const at::Tensor pooled_ref = at::adaptive_avg_pool2d(fine, {kLayout, kLayout});
    CHECK(relative_error(pooled, pooled_ref) < 1e-6);  // one float32 rounding a term
    const at::Tensor weight = at::randn_like(pooled);
    CHECK(relative_error(torch::autograd::grad({(pooled * weight).sum()}, {fine})[0],
                         torch::autograd::grad({(pooled_ref * weight).sum()}, {fine})[0]) < 1e-6);

    const at::Tensor coarse = at::randn({2, 3, kLayout, kLayout});
    CHECK(relative_error(GridResample::bilinear(kLayout, side)(coarse),
                         at::upsample_bilinear2d(coarse, {side, side}, false)) < 1e-6);
  }
}
