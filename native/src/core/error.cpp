#include "stainfold/error.h"

namespace stainfold {

std::string_view code_name(ErrorCode code) {
  switch (code) {
    case ErrorCode::shape:
      return "STAINFOLD_SHAPE";
    case ErrorCode::dtype:
      return "STAINFOLD_DTYPE";
    case ErrorCode::option:
      return "STAINFOLD_OPTION";
    case ErrorCode::device:
      return "STAINFOLD_DEVICE";
    case ErrorCode::state:
      return "STAINFOLD_STATE";
    case ErrorCode::weights:
      return "STAINFOLD_WEIGHTS";
    case ErrorCode::non_finite:
      return "STAINFOLD_NON_FINITE";
    case ErrorCode::memory:
      return "STAINFOLD_MEMORY";
    case ErrorCode::openslide:
      return "STAINFOLD_OPENSLIDE_MISSING";
    case ErrorCode::slide_format:
      return "STAINFOLD_SLIDE_FORMAT";
    case ErrorCode::slide_read:
      return "STAINFOLD_SLIDE_READ";
    case ErrorCode::internal:
      break;
  }
  return "STAINFOLD_INTERNAL";
}

}  // namespace stainfold
