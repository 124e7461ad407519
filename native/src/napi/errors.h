// How what C++ throws becomes what JavaScript gets: a code of ts/errors.ts and one line of text.
#pragma once

#include <string>

namespace stainfold::addon {

// Thrown as it is where the code is none of the core's.
struct Failure {
  std::string code;  // "STAINFOLD_..."
  std::string what;  // the fact and the value got, one line
};

// The exception being handled. Call it in a catch block.
Failure current_failure();

// The failure of every call on a disposed object. kind: "trainer", "encoder".
Failure disposed(const std::string& kind);

}  // namespace stainfold::addon
