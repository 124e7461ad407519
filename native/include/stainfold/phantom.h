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

// Stain concentrations of one tile: channel 0 haematoxylin, 1 eosin, both >= 0 and mostly below 1.5. A
// function of its arguments alone. Tissue is an endless plane laid out in micrometres and the tile a window
// at its corner: a larger size shows the same and more, a smaller mpp the same enlarged. Errors: option
// (tissue not 0 to 5, size not 1 to 16384, mpp not 0.05 to 10).
at::Tensor phantom_concentrations(std::int64_t tissue, std::int64_t size, double mpp,
                                  std::uint64_t seed);  // -> [2,size,size] float32

// How one lab stains and scans. Lab 0 is the reference, the middle of the range; the others spread evenly
// around it, from blue to purple, faded to strong, warm to cool, sharp to soft.
struct PhantomLab {
  std::array<double, 6>
      stain;  // stain matrix M [3,2], row-major: columns haematoxylin and eosin, unit length
  std::array<double, 2> scale;  // concentration scale per stain
  std::array<double, 3>
      gain;  // scanner: I = 255 * (gain * exp(-M scale C))^gamma, then blur, noise; gain is white
  double gamma, blur, noise;  // blur: Gaussian sigma in pixels; noise: deviation in grey levels
};

PhantomLab phantom_lab(std::int64_t lab);  // 0 <= lab < 64, else an option error

at::Tensor phantom_render(const at::Tensor& concentrations,            // [2,H,W]
                          const PhantomLab& lab, std::uint64_t seed);  // seed of the noise -> [H,W,3] uint8

}  // namespace stainfold
