#include "decode/libjpeg.h"

#ifdef STAINFOLD_HAS_LIBJPEG
#include <dlfcn.h>

namespace stainfold {
namespace {

// The names that libraries of this header's version go by. Another version's structures differ; libjpeg
// checks their size itself when a decompressor is made.
constexpr const char* library_names[] = {
#if JPEG_LIB_VERSION >= 80
    "libjpeg.so.8", "libjpeg.8.dylib",
#else
    "libjpeg.so.62", "libjpeg.62.dylib",
#endif
    "libjpeg.so", "libjpeg.dylib"};

void* open_libjpeg() {
  for (const char* const name : library_names) {
    if (void* const library = dlopen(name, RTLD_NOW | RTLD_LOCAL)) return library;
  }
  return nullptr;
}

template <typename Function>
bool find(void* library, const char* name, Function& function) {
  function = reinterpret_cast<Function>(dlsym(library, name));
  return function != nullptr;
}

struct Found {
  LibJpeg functions{};
  bool whole = false;

  Found() {
    void* const library = open_libjpeg();
    whole = library && find(library, "jpeg_std_error", functions.std_error) &&
            find(library, "jpeg_CreateDecompress", functions.create) &&
            find(library, "jpeg_mem_src", functions.mem_src) &&
            find(library, "jpeg_save_markers", functions.save_markers) &&
            find(library, "jpeg_read_header", functions.read_header) &&
            find(library, "jpeg_start_decompress", functions.start) &&
            find(library, "jpeg_read_scanlines", functions.read_scanlines) &&
            find(library, "jpeg_finish_decompress", functions.finish) &&
            find(library, "jpeg_destroy_decompress", functions.destroy);
  }
};

}  // namespace

const LibJpeg* libjpeg() {
  static const Found found;
  return found.whole ? &found.functions : nullptr;
}

}  // namespace stainfold
#endif
