// A slide open in OpenSlide.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "slide/openslide_library.h"
#include "stainfold/slide.h"

namespace stainfold {

struct OpenSlideLevel {
  std::int64_t width, height;
  double downsample;  // as the library computes it
};

struct OpenSlideDescription {
  std::string vendor;
  std::vector<OpenSlideLevel> levels;
  std::vector<std::pair<std::string, std::string>> properties;
  std::vector<std::string> associated;  // names of images that we never read
  std::vector<std::uint8_t> icc;        // empty: none, or a library before 4.0
};

// Every member may be called from several threads at a time.
class OpenSlideReader {
 public:
  // cache_bytes: decoded tiles that the library keeps; before 4.0 it keeps 32 MiB whatever is asked.
  // Throws ErrorCode::slide_format (not a format of this library), slide_read.
  OpenSlideReader(const OpenSlideLibrary& library, std::string path, std::size_t cache_bytes);

  const OpenSlideDescription& description() const { return description_; }

  // As render_region. A failure (ErrorCode::slide_read) leaves the slide usable: OpenSlide's handles keep
  // their first error for good, so the handle is replaced.
  at::Tensor read(std::int64_t level, const SlideGeometry& geometry);  // -> [height,width,3] uint8

 private:
  using Handle = std::shared_ptr<openslide_t>;

  Handle open() const;
  Handle current();
  void replace(const Handle& broken);
  void fill(std::int32_t level, const SlideWindow& window, std::uint8_t* pixels);

  const OpenSlideLibrary& library_;
  std::string path_;
  std::size_t cache_bytes_;
  OpenSlideDescription description_;
  std::mutex mutex_;  // guards handle_
  Handle handle_;     // closed by whichever thread lets go of it last
};

}  // namespace stainfold
