// Ranges of a manifold's options.
#pragma once

#include <sstream>
#include <string>

#include "core/checks.h"

namespace stainfold {

// Throws ErrorCode::option; NaN is in no range.
inline void check_range(const std::string& name, double value, double least, double most) {
  std::ostringstream text;
  text << "manifold." << name << " must be between " << least << " and " << most << ", got " << value;
  check_option(value >= least && value <= most, text.str());
}

}  // namespace stainfold
