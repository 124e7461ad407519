// Times that a call on another thread leaves for JavaScript, in a Float64Array of its own: milliseconds of
// the clock of process.hrtime(). Without the array nothing is measured.
#pragma once

#include <napi.h>

#include <chrono>

#include "napi/convert.h"

namespace stainfold::addon {

struct Stamps {
  double* times = nullptr;

  void mark(int place) const {
    if (times) times[place] = now();
  }

  static double now() {
    using Milliseconds = std::chrono::duration<double, std::milli>;
    return Milliseconds(std::chrono::steady_clock::now().time_since_epoch()).count();
  }
};

struct BorrowedStamps {
  Stamps stamps;
  Napi::Value array;  // what a call holds: the array, or `otherwise`
};

inline BorrowedStamps borrow_stamps(const Napi::Value& value, std::int64_t places,
                                    const Napi::Value& otherwise) {
  const auto array = borrow_optional(value, "stamps", at::kDouble, {places});
  if (!array) return {{}, otherwise};
  return {{array->tensor.mutable_data_ptr<double>()}, array->array};
}

}  // namespace stainfold::addon
