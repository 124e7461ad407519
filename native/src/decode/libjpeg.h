// libjpeg, found when first asked for: the addon must load on machines that have none.
//
// Two interfaces are in use, with structures of different layouts: 62 (Debian, Fedora) and 80 (Ubuntu).
// jpeg_interface.h is compiled for both, so that one binary serves both. Not TurboJPEG, whose interface is
// one: distributions leave it out of a plain system. Not an archive within the addon: Debian's and Ubuntu's
// are not position-independent, and their owners mend the shared library.
#pragma once

#if __has_include(<jpeglib.h>) && __has_include(<jconfig.h>) && __has_include(<dlfcn.h>)
#define STAINFOLD_HAS_LIBJPEG 1
#endif

#include <cstddef>
#include <cstdint>
#include <memory>

namespace stainfold {

class JpegDecoder {
 public:
  virtual ~JpegDecoder() = default;
  // 62 or 80
  virtual int interface_version() const = 0;
  // As decode_jpeg().
  virtual bool decode(const std::uint8_t* data, std::size_t size, std::int64_t side,
                      std::uint8_t* into) const = 0;
};

// The decoder for one interface on a library that dlopen() gave; null where the library has another interface
// or is no libjpeg. The library says so itself: it compares the version and the size of the structure that it
// is given before it touches it.
std::unique_ptr<JpegDecoder> jpeg_decoder_62(void* library);
std::unique_ptr<JpegDecoder> jpeg_decoder_80(void* library);

// Null where there is none. The library is never closed.
const JpegDecoder* jpeg_decoder();

}  // namespace stainfold
