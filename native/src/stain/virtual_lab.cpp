#include "stain/virtual_lab.h"

#include "stain/bounds.h"
#include "stain/recipe.h"

namespace stainfold {

void check(const ManifoldOptions& options) {
  check_range("labs", static_cast<double>(options.labs), 1, 4096);
  check_range("concentration", options.concentration, 0, 4);
  check_range("background", options.background, 0, 1);
  check_range("rotation", options.rotation, 0, 90);
  check_range("gain", options.gain, 0, 2);
  check_range("gamma", options.gamma, 0, 2);
  check_range("blur", options.blur, 0, 8);
  check_range("jpeg_quality_min", static_cast<double>(options.jpeg_quality_min), 1, 100);
  check_range("jitter", options.jitter, 0, 4);
}

std::vector<Transform> he_transforms(const ManifoldOptions& options) {
  transform::Stain stain;
  stain.concentration = options.concentration;
  stain.background = options.background;
  stain.rotation = options.rotation;
  return {stain, transform::Gain{options.gain}, transform::Gamma{options.gamma},
          transform::Blur{options.blur}, transform::Jpeg{options.jpeg_quality_min}};
}

at::Tensor draw_labs(const ManifoldOptions& options, std::int64_t count, at::Generator generator) {
  return Recipe(he_transforms(options)).draw(count, generator);
}

}  // namespace stainfold
