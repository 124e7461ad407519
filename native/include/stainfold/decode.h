// Image files to pixels, for the kinds that are worth a path of their own.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace stainfold {

// Version of the libjpeg that decode_jpeg() uses, "62"; empty where this build or machine has none.
std::string jpeg_library();

// A plain colour JPEG of side x side pixels into `into` [side,side,3], the pixels that any libjpeg gives
// (accurate integer DCT, smooth chroma). False, and `into` undefined, for everything else: another size, grey
// or CMYK, an ICC profile, EXIF (it may turn the image), damage, no libjpeg. Any thread, no state between
// calls.
bool decode_jpeg(const std::uint8_t* data, std::size_t size, std::int64_t side, std::uint8_t* into);

}  // namespace stainfold
