#include "preload/library.h"

#ifdef _WIN32
#include <windows.h>
#else
#include <dlfcn.h>
#endif

namespace stainfold::preload {
namespace {

#ifdef _WIN32
#define STAINFOLD_CUDAAPI __stdcall
constexpr const char* cuda_driver_file = "nvcuda.dll";

std::wstring wide(const std::string& utf8) {
  const int length = MultiByteToWideChar(CP_UTF8, 0, utf8.data(), static_cast<int>(utf8.size()), nullptr, 0);
  std::wstring text(length, L'\0');
  MultiByteToWideChar(CP_UTF8, 0, utf8.data(), static_cast<int>(utf8.size()), text.data(), length);
  return text;
}

std::string last_error() {
  const DWORD code = GetLastError();
  char text[512];
  DWORD length = FormatMessageA(FORMAT_MESSAGE_FROM_SYSTEM | FORMAT_MESSAGE_IGNORE_INSERTS, nullptr, code, 0,
                                text, sizeof text, nullptr);
  while (length > 0 && (text[length - 1] == '\n' || text[length - 1] == '\r')) --length;
  return std::string(text, length) + " (error " + std::to_string(code) + ")";
}

// A bare name is looked up in the system's folder only; a path brings its own folder for its dependencies.
void* open(const std::string& path) {
  const bool bare = path.find_first_of("/\\") == std::string::npos;
  const DWORD flags = bare ? LOAD_LIBRARY_SEARCH_SYSTEM32
                           : LOAD_LIBRARY_SEARCH_DLL_LOAD_DIR | LOAD_LIBRARY_SEARCH_DEFAULT_DIRS;
  return LoadLibraryExW(wide(path).c_str(), nullptr, flags);
}

void* symbol(void* library, const char* name) {
  return reinterpret_cast<void*>(GetProcAddress(static_cast<HMODULE>(library), name));
}

std::string reason_of_failure(const std::string&) { return last_error(); }
#else
#define STAINFOLD_CUDAAPI
#ifdef __APPLE__
constexpr const char* cuda_driver_file = "libcuda.dylib";
#else
constexpr const char* cuda_driver_file = "libcuda.so.1";
#endif

void* open(const std::string& path) { return dlopen(path.c_str(), RTLD_NOW | RTLD_GLOBAL); }

void* symbol(void* library, const char* name) { return dlsym(library, name); }

// dlerror starts with the file at fault. Ours is known to the caller; a dependency's name is the finding.
std::string reason_of_failure(const std::string& path) {
  const char* const error = dlerror();
  const std::string text = error ? error : "unknown error";
  const std::string prefix = path + ": ";
  return text.compare(0, prefix.size(), prefix) == 0 ? text.substr(prefix.size()) : text;
}
#endif

}  // namespace

std::string library_file(const std::string& name) {
#ifdef _WIN32
  return name + ".dll";
#elif defined(__APPLE__)
  return "lib" + name + ".dylib";
#else
  return "lib" + name + ".so";
#endif
}

std::string load_library(const std::string& path) { return open(path) ? "" : reason_of_failure(path); }

CudaDriver query_cuda_driver() {
  void* const library = open(cuda_driver_file);
  if (!library) return {"", "the NVIDIA driver's library cannot be loaded: " + reason_of_failure("")};
  using GetVersion = int(STAINFOLD_CUDAAPI*)(int*);
  const auto get_version = reinterpret_cast<GetVersion>(symbol(library, "cuDriverGetVersion"));
  if (!get_version) return {"", std::string(cuda_driver_file) + " has no cuDriverGetVersion"};
  int version = 0;  // 1000 major + 10 minor
  if (const int code = get_version(&version); code != 0) {
    return {"", "cuDriverGetVersion failed with code " + std::to_string(code)};
  }
  return {std::to_string(version / 1000) + "." + std::to_string(version % 1000 / 10), ""};
}

}  // namespace stainfold::preload
