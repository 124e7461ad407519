#include "decode/libjpeg.h"
#include "stainfold/decode.h"

namespace stainfold {

std::string jpeg_library() {
  const JpegDecoder* const decoder = jpeg_decoder();
  return decoder ? std::to_string(decoder->interface_version()) : "";
}

bool decode_jpeg(const std::uint8_t* data, std::size_t size, std::int64_t side, std::uint8_t* into) {
  const JpegDecoder* const decoder = jpeg_decoder();
  if (!decoder || size < 4 || data[0] != 0xFF || data[1] != 0xD8) return false;
  return decoder->decode(data, size, side, into);
}

}  // namespace stainfold
