// Errors that cross into JavaScript. The codes are the native half of the table in ts/errors.ts, which holds
// the remedies.
#pragma once

#include <stdexcept>
#include <string>
#include <string_view>

namespace stainfold {

enum class ErrorCode {
  shape,         // a tensor or image of the wrong shape
  dtype,         // a tensor of the wrong element type
  option,        // an option outside its range
  device,        // a device that cannot be had
  state,         // a call that this object's state does not allow
  weights,       // weights that do not fit the model
  non_finite,    // NaN or infinity in loss or gradient
  memory,        // out of memory, host or device
  openslide,     // the OpenSlide library cannot be loaded
  slide_format,  // a slide that the backend cannot read
  slide_read,    // a damaged slide, or a part of one
  internal,      // anything else that LibTorch or CUDA threw
};

// "STAINFOLD_SHAPE", "STAINFOLD_DTYPE", ...
std::string_view code_name(ErrorCode code);

// what() states the fact and the value got; the remedy is added by the table in ts/errors.ts.
class Error : public std::runtime_error {
 public:
  Error(ErrorCode code, const std::string& what) : std::runtime_error(what), code_(code) {}
  ErrorCode code() const noexcept { return code_; }

 private:
  ErrorCode code_;
};

}  // namespace stainfold
