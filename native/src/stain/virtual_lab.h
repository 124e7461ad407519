// A virtual lab of H&E is a row of numbers: how it stains and how it scans, relative to the tile as it came.
#pragma once

#include <ATen/core/Generator.h>
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "stainfold/manifold.h"

namespace stainfold {

// The columns of theta of the H&E recipe. All zero is the identity.
namespace lab {
constexpr std::int64_t kLogScale = 0;    // 2: ln(a), haematoxylin and eosin
constexpr std::int64_t kBackground = 2;  // 2: b, concentration
constexpr std::int64_t kRotation = 4;    // 2 x 3: axis times angle in radians, of each stain vector
constexpr std::int64_t kLogGain = 10;    // 3: ln(gain), R, G, B
constexpr std::int64_t kLogGamma = 13;   // 1: ln(gamma)
constexpr std::int64_t kColumns = 14;
}  // namespace lab

// Throws ErrorCode::option for what is out of range.
void check(const ManifoldOptions& options);

// What the options' spreads say of stain, scanner and file.
std::vector<Transform> he_transforms(const ManifoldOptions& options);

// Draws from the prior of H&E, cut off at two standard deviations: a lab further out would not sell its
// slides.
at::Tensor draw_labs(const ManifoldOptions& options, std::int64_t count,
                     at::Generator generator);  // -> [count,lab::kColumns] float32, CPU

}  // namespace stainfold
