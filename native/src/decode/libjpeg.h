// libjpeg's functions, found when first asked for: the addon must load on machines that have none.
#pragma once

#if __has_include(<jpeglib.h>) && __has_include(<dlfcn.h>)
#define STAINFOLD_HAS_LIBJPEG 1
#include <cstddef>
#include <cstdio>
// After them: it uses FILE and size_t without saying so.
#include <jpeglib.h>

namespace stainfold {

struct LibJpeg {
  decltype(&::jpeg_std_error) std_error;
  decltype(&::jpeg_CreateDecompress) create;
  decltype(&::jpeg_mem_src) mem_src;
  decltype(&::jpeg_save_markers) save_markers;
  decltype(&::jpeg_read_header) read_header;
  decltype(&::jpeg_start_decompress) start;
  decltype(&::jpeg_read_scanlines) read_scanlines;
  decltype(&::jpeg_finish_decompress) finish;
  decltype(&::jpeg_destroy_decompress) destroy;
};

// Null where there is none. The library is never closed.
const LibJpeg* libjpeg();

}  // namespace stainfold
#endif
