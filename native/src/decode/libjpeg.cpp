#include "decode/libjpeg.h"

#ifdef STAINFOLD_HAS_LIBJPEG
#include <dlfcn.h>

namespace stainfold {
namespace {

// The names say little of the interface (libjpeg.so is whatever was installed last), so each library is
// asked.
constexpr const char* library_names[] = {"libjpeg.so.62",    "libjpeg.so.8",    "libjpeg.so",
                                         "libjpeg.62.dylib", "libjpeg.8.dylib", "libjpeg.dylib"};

std::unique_ptr<JpegDecoder> find_decoder() {
  for (const char* const name : library_names) {
    void* const library = dlopen(name, RTLD_NOW | RTLD_LOCAL);
    if (!library) continue;
    if (auto decoder = jpeg_decoder_62(library)) return decoder;
    if (auto decoder = jpeg_decoder_80(library)) return decoder;
  }
  return nullptr;
}

}  // namespace

const JpegDecoder* jpeg_decoder() {
  static const std::unique_ptr<JpegDecoder> decoder = find_decoder();
  return decoder.get();
}

}  // namespace stainfold

#else

namespace stainfold {

const JpegDecoder* jpeg_decoder() { return nullptr; }

}  // namespace stainfold
#endif
