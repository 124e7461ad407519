#include "napi/process_end.h"

#include <atomic>
#include <cstdlib>

namespace stainfold::addon {
namespace {

std::atomic<int> asked_code = 0;

}  // namespace

void end_without_destructors(int code) noexcept {
  asked_code = code;
  // Handlers run last in, first out: this one before the destructors of all that was loaded until now.
  std::atexit([] { std::_Exit(asked_code); });
}

}  // namespace stainfold::addon
