// Phantom tissue: seeded H&E-like tiles from Beer-Lambert's law, so that everything runs without data and
// tests know the truth.
#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <cstdint>
#include <string>
#include <vector>

namespace stainfold {

// In the order of phantom_tissues(): gland, stroma, tumour, lymphocytes, fat, background.
const std::vector<std::string>& phantom_tissues();

// Stain concentrations of one tile: channel 0 haematoxylin, 1 eosin. A function of its arguments alone.
at::Tensor phantom_concentrations(std::int64_t tissue, std::int64_t size, double mpp,
                                  std::uint64_t seed);  // -> [2,size,size] float32

// How one lab stains and scans. Lab 0 is the reference; higher labs differ more and more clearly.
struct PhantomLab {
  std::array<double, 6>
      stain;  // stain matrix M [3,2], row-major: columns haematoxylin and eosin, unit length
  std::array<double, 2> scale;  // concentration scale per stain
  std::array<double, 3> gain;   // scanner: I = 255 * (white * gain * exp(-M C))^gamma, then blur, noise
  double gamma, blur, noise;    // blur: Gaussian sigma in pixels; noise: deviation in grey levels
};

PhantomLab phantom_lab(std::int64_t lab);  // 0 <= lab < 64

at::Tensor phantom_render(const at::Tensor& concentrations,            // [2,H,W]
                          const PhantomLab& lab, std::uint64_t seed);  // seed of the noise -> [H,W,3] uint8

}  // namespace stainfold
