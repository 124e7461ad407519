#include <ATen/ATen.h>

#include <cmath>
#include <limits>
#include <vector>

#include "stainfold/phantom.h"
#include "testing.h"

using namespace stainfold;
using stainfold::testing::code_of;
using stainfold::testing::relative_error;

namespace {

PhantomLab clean(PhantomLab lab) {
  lab.blur = lab.noise = 0;
  return lab;
}

at::Tensor stain_matrix(const PhantomLab& lab) {
  return at::tensor(at::ArrayRef<double>(lab.stain.data(), lab.stain.size()), at::kDouble).view({3, 2});
}

at::Tensor gains(const PhantomLab& lab) {
  return at::tensor(at::ArrayRef<double>(lab.gain.data(), lab.gain.size()), at::kDouble);
}

// Mean colour of the same tissue, all classes but glass.
at::Tensor mean_colour(const PhantomLab& lab) {
  at::Tensor sum = at::zeros({3}, at::kDouble);
  for (std::int64_t tissue = 0; tissue < 5; ++tissue) {
    sum += phantom_render(phantom_concentrations(tissue, 64, 0.5, 3), lab, 0).to(at::kDouble).mean({0, 1});
  }
  return sum / 5;
}

}  // namespace

TEST_CASE("phantom render: equals Beer-Lambert pixel by pixel") {
  const at::Tensor tile = phantom_concentrations(2, 48, 0.5, 1);
  for (const std::int64_t index : {0, 1, 2, 3, 40}) {
    CAPTURE(index);
    const PhantomLab lab = clean(phantom_lab(index));
    const at::Tensor scale = at::tensor({lab.scale[0], lab.scale[1]}, at::kDouble).view({2, 1});
    const at::Tensor density = at::mm(stain_matrix(lab), tile.to(at::kDouble).flatten(1) * scale);  // [3,P]
    const at::Tensor expected = 255 * (gains(lab).unsqueeze(1) * (-density).exp()).pow(lab.gamma);
    const at::Tensor image = phantom_render(tile, lab, 9).to(at::kDouble).flatten(0, 1).t();
    // Half a level of rounding, and float32 before it.
    CHECK((image - expected.clamp(0, 255)).abs().max().item<double>() < 0.501);
  }
}

TEST_CASE("phantom render: the stain matrix comes back from the pixels") {
  at::Tensor tile = phantom_concentrations(2, 96, 0.5, 4);
  for (std::int64_t index = 0; index < 6; ++index) {
    CAPTURE(index);
    const PhantomLab lab = clean(phantom_lab(index));
    const at::Tensor image = phantom_render(tile, lab, 0).to(at::kDouble).flatten(0, 1);         // [P,3]
    const at::Tensor density = gains(lab).log() - (image.clamp_min(1) / 255).log() / lab.gamma;  // [P,3]
    const at::Tensor scale = at::tensor({lab.scale[0], lab.scale[1]}, at::kDouble);
    const at::Tensor stains = tile.to(at::kDouble).flatten(1).t() * scale;        // [P,2]
    const at::Tensor recovered = std::get<0>(at::linalg_lstsq(stains, density));  // [2,3]
    // 8-bit rounding is 0.004 in density at grey 128; the fit averages it over 9,216 pixels.
    CHECK(relative_error(recovered.t(), stain_matrix(lab)) < 2e-3);
  }
}

TEST_CASE("phantom render: blur is a Gaussian that keeps the mean, noise has the deviation asked for") {
  const at::Tensor tile = phantom_concentrations(3, 64, 0.5, 2);
  PhantomLab lab = clean(phantom_lab(0));
  const at::Tensor sharp = phantom_render(tile, lab, 0).to(at::kDouble);
  lab.blur = 1.3;
  const at::Tensor soft = phantom_render(tile, lab, 0).to(at::kDouble);
  const at::Tensor x = at::arange(-4, 5, at::kDouble);  // three deviations, rounded up
  at::Tensor taps = (-x.square() / (2 * 1.3 * 1.3)).exp();
  taps = (taps / taps.sum()).view({1, 1, 1, 9});
  const at::Tensor padded = at::replication_pad2d(sharp.permute({2, 0, 1}).unsqueeze(1), {4, 4, 4, 4});
  const at::Tensor expected = at::conv2d(at::conv2d(padded, taps), taps.transpose(2, 3));
  // Both inputs of the comparison are rounded to whole levels: half a level each.
  CHECK((soft.permute({2, 0, 1}).unsqueeze(1) - expected).abs().max().item<double>() < 1.01);

  lab = clean(phantom_lab(0));
  lab.noise = 3;
  const at::Tensor grey = at::full({2, 128, 128}, 0.5F);
  const at::Tensor noisy = phantom_render(grey, lab, 5).to(at::kDouble);
  for (int channel = 0; channel < 3; ++channel) {
    // 16,384 samples give the deviation to 0.6 %: five of those.
    CHECK(noisy.select(2, channel).std().item<double>() ==
          doctest::Approx(std::sqrt(9 + 1.0 / 12)).epsilon(0.03));
  }
  CHECK(noisy.equal(phantom_render(grey, lab, 5).to(at::kDouble)));
  CHECK(!noisy.equal(phantom_render(grey, lab, 6).to(at::kDouble)));
}

TEST_CASE("phantom labs: plausible stains and scanners, lab 0 in the middle") {
  for (std::int64_t index = 0; index < 64; ++index) {
    CAPTURE(index);
    const PhantomLab lab = phantom_lab(index);
    const at::Tensor stain = stain_matrix(lab);
    CHECK(stain.min().item<double>() > 0);
    CHECK(relative_error(stain.square().sum(0), at::ones({2}, at::kDouble)) < 1e-12);
    CHECK(lab.stain[0] > lab.stain[1]);  // haematoxylin takes more red than eosin
    for (const double scale : lab.scale) CHECK((scale > 0.4 && scale < 2.2));
    for (const double gain : lab.gain) CHECK((gain > 0.85 && gain <= 1.02));
    CHECK((lab.gamma > 0.75 && lab.gamma < 1.3));
    CHECK((lab.blur >= 0 && lab.blur < 1.2));
    CHECK((lab.noise >= 0 && lab.noise < 3.5));
  }
  const PhantomLab reference = phantom_lab(0);
  CHECK(reference.scale[0] == 1.0);
  CHECK(reference.scale[1] == 1.0);
  CHECK(reference.gamma == 1.0);
}

TEST_CASE("phantom labs: the first ones look different from the reference and from each other") {
  std::vector<at::Tensor> colours;
  for (std::int64_t index = 0; index < 6; ++index) colours.push_back(mean_colour(phantom_lab(index)));
  for (std::size_t i = 0; i < colours.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      CAPTURE(i);
      CAPTURE(j);
      CHECK((colours[i] - colours[j]).norm().item<double>() > 10);  // grey levels
    }
  }
}

TEST_CASE("phantom labs: what they refuse") {
  CHECK(code_of([] { phantom_lab(-1); }) == ErrorCode::option);
  CHECK(code_of([] { phantom_lab(64); }) == ErrorCode::option);
  const at::Tensor tile = at::zeros({2, 4, 4});
  CHECK(code_of([&] { phantom_render(tile.to(at::kDouble), phantom_lab(0), 0); }) == ErrorCode::dtype);
  CHECK(code_of([&] { phantom_render(at::zeros({3, 4, 4}), phantom_lab(0), 0); }) == ErrorCode::shape);
  CHECK(code_of([&] { phantom_render(at::zeros({2, 0, 4}), phantom_lab(0), 0); }) == ErrorCode::shape);
  for (double PhantomLab::*field : {&PhantomLab::gamma, &PhantomLab::blur, &PhantomLab::noise}) {
    PhantomLab lab = phantom_lab(0);
    lab.*field = -1;
    CHECK(code_of([&] { phantom_render(tile, lab, 0); }) == ErrorCode::option);
    lab.*field = std::numeric_limits<double>::quiet_NaN();
    CHECK(code_of([&] { phantom_render(tile, lab, 0); }) == ErrorCode::option);
  }
}
