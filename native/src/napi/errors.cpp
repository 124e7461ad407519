#include "napi/errors.h"

#include <c10/util/Exception.h>

#include <new>
#include <system_error>

#include "stainfold/error.h"

namespace stainfold::addon {
namespace {

std::string first_line(const std::string& text) { return text.substr(0, text.find('\n')); }

// LibTorch's CPU allocator throws a plain c10::Error, told from others only by its text.
bool says_out_of_memory(const std::string& text) {
  return text.find("can't allocate memory") != std::string::npos ||
         text.find("not enough memory") != std::string::npos ||
         text.find("out of memory") != std::string::npos ||
         text.find("Storage size calculation overflowed") != std::string::npos;
}

}  // namespace

Failure current_failure() {
  try {
    throw;
  } catch (const Failure& failure) {
    return failure;
  } catch (const Error& error) {
    return {std::string(code_name(error.code())), error.what()};
  } catch (const c10::OutOfMemoryError& error) {
    return {"STAINFOLD_MEMORY", first_line(error.what_without_backtrace())};
  } catch (const c10::Error& error) {
    const std::string text = error.what_without_backtrace();
    return {says_out_of_memory(text) ? "STAINFOLD_MEMORY" : "STAINFOLD_INTERNAL", first_line(text)};
  } catch (const std::bad_alloc&) {
    return {"STAINFOLD_MEMORY", "the host is out of memory"};
  } catch (const std::system_error& error) {
    const bool no_threads = error.code() == std::errc::resource_unavailable_try_again;
    return {no_threads ? "STAINFOLD_MEMORY" : "STAINFOLD_INTERNAL",
            std::string(no_threads ? "the system gives no further thread: " : "") + first_line(error.what())};
  } catch (const std::exception& error) {
    return {"STAINFOLD_INTERNAL", first_line(error.what())};
  } catch (...) {
    return {"STAINFOLD_INTERNAL", "an exception of unknown type was thrown"};
  }
}

Failure disposed(const std::string& kind) { return {"STAINFOLD_DISPOSED", "this " + kind + " was disposed"}; }

}  // namespace stainfold::addon
