#include "stainfold/decode.h"

#include "decode/libjpeg.h"

#ifdef STAINFOLD_HAS_LIBJPEG
#include <algorithm>
#include <csetjmp>
#include <cstring>

namespace stainfold {
namespace {

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

// No object with a destructor may live here: leave() jumps over it.
bool run(const LibJpeg& jpeg, jpeg_decompress_struct& info, ErrorManager& errors, const std::uint8_t* data,
         std::size_t size, std::int64_t side, std::uint8_t* into) {
  if (setjmp(errors.way_out)) return false;
  jpeg.create(&info, JPEG_LIB_VERSION, sizeof(info));
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
  return errors.base.num_warnings == 0;
}

}  // namespace

std::string jpeg_library() { return libjpeg() ? std::to_string(JPEG_LIB_VERSION) : ""; }

bool decode_jpeg(const std::uint8_t* data, std::size_t size, std::int64_t side, std::uint8_t* into) {
  const LibJpeg* const jpeg = libjpeg();
  if (!jpeg || size < 4 || data[0] != 0xFF || data[1] != 0xD8) return false;
  ErrorManager errors{};
  jpeg_decompress_struct info{};
  info.err = jpeg->std_error(&errors.base);
  errors.base.error_exit = leave;
  errors.base.emit_message = note_warning;
  errors.base.output_message = say_nothing;
  const bool done = run(*jpeg, info, errors, data, size, side, into);
  jpeg->destroy(&info);  // does nothing to one that was not made
  return done;
}

}  // namespace stainfold

#else

namespace stainfold {

std::string jpeg_library() { return ""; }
bool decode_jpeg(const std::uint8_t*, std::size_t, std::int64_t, std::uint8_t*) { return false; }

}  // namespace stainfold
#endif
