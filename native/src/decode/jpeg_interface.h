// The decoder for one interface of libjpeg. A source file defines STAINFOLD_JPEG_VERSION, 62 or 80, and
// STAINFOLD_JPEG_DECODER, the function that it is to define, before it includes this; nothing else includes
// it.
#include "decode/libjpeg.h"

#ifdef STAINFOLD_HAS_LIBJPEG
#include <dlfcn.h>

#include <algorithm>
#include <csetjmp>
#include <cstdio>
#include <cstring>

#include <jconfig.h>
// libjpeg-turbo's header describes every interface, whichever the library beside it was built with.
#ifdef LIBJPEG_TURBO_VERSION
#undef JPEG_LIB_VERSION
#define JPEG_LIB_VERSION STAINFOLD_JPEG_VERSION
#define JCONFIG_INCLUDED
#endif

namespace stainfold {
namespace {

// In here, so that the structures of two interfaces are two types to the linker as well.
#include <jpeglib.h>

#if JPEG_LIB_VERSION == STAINFOLD_JPEG_VERSION

struct Functions {
  decltype(&jpeg_std_error) std_error;
  decltype(&jpeg_CreateDecompress) create;
  decltype(&jpeg_mem_src) mem_src;
  decltype(&jpeg_save_markers) save_markers;
  decltype(&jpeg_read_header) read_header;
  decltype(&jpeg_start_decompress) start;
  decltype(&jpeg_read_scanlines) read_scanlines;
  decltype(&jpeg_finish_decompress) finish;
  decltype(&jpeg_destroy_decompress) destroy;
};

// libjpeg reports errors by calling back, and must not be returned to: the way out is a jump.
struct ErrorManager {
  jpeg_error_mgr base;
  std::jmp_buf way_out;
};

[[noreturn]] void leave(j_common_ptr info) {
  std::longjmp(reinterpret_cast<ErrorManager*>(info->err)->way_out, 1);
}
void note_warning(j_common_ptr info, int level) {
  if (level < 0) ++info->err->num_warnings;
}
void say_nothing(j_common_ptr) {}

bool begins_with(const jpeg_marker_struct& marker, const char* text, std::size_t length) {
  return marker.data_length >= length && std::memcmp(marker.data, text, length) == 0;
}

// What a general decoder would have to do more with than copy the pixels out.
bool is_plain(const jpeg_decompress_struct& info, std::int64_t side) {
  if (info.image_width != side || info.image_height != side) return false;
  if (info.num_components != 3 || info.jpeg_color_space != JCS_YCbCr || info.data_precision != 8)
    return false;
  for (const jpeg_marker_struct* marker = info.marker_list; marker; marker = marker->next) {
    if (begins_with(*marker, "ICC_PROFILE", 11) || begins_with(*marker, "Exif", 4)) return false;
  }
  return true;
}

class Decoder final : public JpegDecoder {
 public:
  explicit Decoder(const Functions& functions) : jpeg(functions) {}

  int interface_version() const override { return STAINFOLD_JPEG_VERSION; }

  bool decode(const std::uint8_t* data, std::size_t size, std::int64_t side,
              std::uint8_t* into) const override {
    return with_decompressor([=, this](jpeg_decompress_struct& info) {
      return read(info, data, size, side, into) && info.err->num_warnings == 0;
    });
  }

  bool takes_these_structures() const {
    return with_decompressor([](jpeg_decompress_struct&) { return true; });
  }

 private:
  // Whether `work` says so, and libjpeg has not called an error. No object with a destructor may live in
  // `work`: leave() jumps over it.
  template <typename Work>
  bool with_decompressor(Work work) const {
    ErrorManager errors{};
    jpeg_decompress_struct info{};
    info.err = jpeg.std_error(&errors.base);
    errors.base.error_exit = leave;
    errors.base.emit_message = note_warning;
    errors.base.output_message = say_nothing;
    const bool done = attempt(info, errors, work);
    jpeg.destroy(&info);  // does nothing to one that was not made
    return done;
  }

  template <typename Work>
  bool attempt(jpeg_decompress_struct& info, ErrorManager& errors, const Work& work) const {
    if (setjmp(errors.way_out)) return false;
    jpeg.create(&info, JPEG_LIB_VERSION, sizeof(info));
    return work(info);
  }

  bool read(jpeg_decompress_struct& info, const std::uint8_t* data, std::size_t size, std::int64_t side,
            std::uint8_t* into) const {
    jpeg.mem_src(&info, data, static_cast<unsigned long>(size));
    constexpr unsigned int enough = 16;  // bytes of a marker that tell its kind
    jpeg.save_markers(&info, JPEG_APP0 + 1, enough);
    jpeg.save_markers(&info, JPEG_APP0 + 2, enough);
    if (jpeg.read_header(&info, TRUE) != JPEG_HEADER_OK || !is_plain(info, side)) return false;
    info.out_color_space = JCS_RGB;
    jpeg.start(&info);
    constexpr unsigned int most = 16;  // rows a call
    JSAMPROW rows[most];
    while (info.output_scanline < info.output_height) {
      const unsigned int count = std::min(most, info.output_height - info.output_scanline);
      for (unsigned int i = 0; i < count; ++i) rows[i] = into + 3 * side * (info.output_scanline + i);
      jpeg.read_scanlines(&info, rows, count);
    }
    jpeg.finish(&info);
    return true;
  }

  Functions jpeg;
};

template <typename Function>
bool find(void* library, const char* name, Function& function) {
  function = reinterpret_cast<Function>(dlsym(library, name));
  return function != nullptr;
}

bool find_all(void* library, Functions& functions) {
  return find(library, "jpeg_std_error", functions.std_error) &&
         find(library, "jpeg_CreateDecompress", functions.create) &&
         find(library, "jpeg_mem_src", functions.mem_src) &&
         find(library, "jpeg_save_markers", functions.save_markers) &&
         find(library, "jpeg_read_header", functions.read_header) &&
         find(library, "jpeg_start_decompress", functions.start) &&
         find(library, "jpeg_read_scanlines", functions.read_scanlines) &&
         find(library, "jpeg_finish_decompress", functions.finish) &&
         find(library, "jpeg_destroy_decompress", functions.destroy);
}

#endif
}  // namespace

std::unique_ptr<JpegDecoder> STAINFOLD_JPEG_DECODER([[maybe_unused]] void* library) {
#if JPEG_LIB_VERSION == STAINFOLD_JPEG_VERSION
  Functions functions{};
  if (!find_all(library, functions)) return nullptr;
  auto decoder = std::make_unique<Decoder>(functions);
  if (decoder->takes_these_structures()) return decoder;
#endif
  return nullptr;
}

}  // namespace stainfold

#else

namespace stainfold {

std::unique_ptr<JpegDecoder> STAINFOLD_JPEG_DECODER(void*) { return nullptr; }

}  // namespace stainfold
#endif
