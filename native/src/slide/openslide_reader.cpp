#include "slide/openslide_reader.h"

#include <algorithm>
#include <cmath>

#include "core/checks.h"
#include "slide/resample.h"
#include "stainfold/error.h"

namespace stainfold {
namespace {

// A read_region of more is split: the library's buffer is 4 bytes a pixel.
constexpr std::int64_t kMostPixelsARead = std::int64_t{1} << 24;

std::vector<std::string> names_of(const char* const* list) {
  std::vector<std::string> names;
  for (; list != nullptr && *list != nullptr; ++list) names.emplace_back(*list);
  return names;
}

// Premultiplied 0xAARRGGBB over white.
void over_white(const std::uint32_t* from, std::int64_t count, std::uint8_t* to) {
  for (std::int64_t i = 0; i < count; ++i, to += 3) {
    const std::uint32_t pixel = from[i], glass = 255 - (pixel >> 24);
    to[0] = static_cast<std::uint8_t>(std::min<std::uint32_t>(255, (pixel >> 16 & 255) + glass));
    to[1] = static_cast<std::uint8_t>(std::min<std::uint32_t>(255, (pixel >> 8 & 255) + glass));
    to[2] = static_cast<std::uint8_t>(std::min<std::uint32_t>(255, (pixel & 255) + glass));
  }
}

}  // namespace

OpenSlideReader::OpenSlideReader(const OpenSlideLibrary& library, std::string path, std::size_t cache_bytes)
    : library_(library), path_(std::move(path)), cache_bytes_(cache_bytes) {
  const char* vendor = library_.detect_vendor(path_.c_str());
  if (vendor == nullptr) {
    throw Error(ErrorCode::slide_format,
                path_ + " has no format that OpenSlide " + library_.version + " reads");
  }
  handle_ = open();
  openslide_t* const slide = handle_.get();
  description_.vendor = vendor;
  for (std::int32_t level = 0; level < library_.get_level_count(slide); ++level) {
    OpenSlideLevel& found = description_.levels.emplace_back();
    library_.get_level_dimensions(slide, level, &found.width, &found.height);
    found.downsample = library_.get_level_downsample(slide, level);
  }
  for (const std::string& name : names_of(library_.get_property_names(slide))) {
    const char* value = library_.get_property_value(slide, name.c_str());
    if (value != nullptr) description_.properties.emplace_back(name, value);
  }
  description_.associated = names_of(library_.get_associated_image_names(slide));
  if (library_.get_icc_profile_size != nullptr && library_.read_icc_profile != nullptr) {
    description_.icc.resize(
        static_cast<std::size_t>(std::max<std::int64_t>(0, library_.get_icc_profile_size(slide))));
    if (!description_.icc.empty()) library_.read_icc_profile(slide, description_.icc.data());
  }
  if (const char* error = library_.get_error(slide)) {
    throw Error(ErrorCode::slide_read, path_ + ": OpenSlide says: " + error);
  }
  const bool sound =
      !description_.levels.empty() && std::ranges::all_of(description_.levels, [](const auto& level) {
        return level.width > 0 && level.height > 0 && level.downsample > 0;
      });
  if (!sound) throw Error(ErrorCode::slide_read, path_ + ": OpenSlide finds no level with pixels");
}

OpenSlideReader::Handle OpenSlideReader::open() const {
  openslide_t* const slide = library_.open(path_.c_str());
  if (slide == nullptr) {
    throw Error(ErrorCode::slide_read, path_ + ": OpenSlide knows the format but cannot open the file");
  }
  Handle handle(slide, library_.close);
  if (const char* error = library_.get_error(slide)) {
    throw Error(ErrorCode::slide_read, path_ + ": OpenSlide says: " + error);
  }
  if (library_.cache_create != nullptr && library_.set_cache != nullptr &&
      library_.cache_release != nullptr) {
    openslide_cache_t* const cache = library_.cache_create(cache_bytes_);
    library_.set_cache(slide, cache);
    library_.cache_release(cache);
  }
  return handle;
}

OpenSlideReader::Handle OpenSlideReader::current() {
  const std::lock_guard lock(mutex_);
  if (!handle_) handle_ = open();
  return handle_;
}

void OpenSlideReader::replace(const Handle& broken) {
  const std::lock_guard lock(mutex_);
  if (handle_ == broken) handle_.reset();  // the next read opens another
}

void OpenSlideReader::fill(std::int32_t level, const SlideWindow& window, std::uint8_t* pixels) {
  const double downsample = description_.levels[level].downsample;
  const auto to_level_zero = [downsample](std::int64_t at) {
    // Rounded to the level-0 pixel from which the library's own division comes back to `at`, or closest to
    // it.
    return static_cast<std::int64_t>(std::llround(static_cast<double>(at) * downsample));
  };
  const std::int64_t rows = std::clamp<std::int64_t>(kMostPixelsARead / window.width, 1, window.height);
  std::vector<std::uint32_t> argb(static_cast<std::size_t>(window.width * rows));
  for (std::int64_t row = 0; row < window.height; row += rows) {
    const std::int64_t height = std::min(rows, window.height - row);
    const Handle handle = current();
    library_.read_region(handle.get(), argb.data(), to_level_zero(window.x), to_level_zero(window.y + row),
                         level, window.width, height);
    if (const char* error = library_.get_error(handle.get())) {
      const std::string said = error;
      replace(handle);
      throw Error(ErrorCode::slide_read, path_ + ": level " + std::to_string(level) + " at " +
                                             std::to_string(window.x) + ", " +
                                             std::to_string(window.y + row) + ": OpenSlide says: " + said);
    }
    over_white(argb.data(), window.width * height, pixels + row * window.width * 3);
  }
}

at::Tensor OpenSlideReader::read(std::int64_t level, const SlideGeometry& geometry) {
  check_option(level >= 0 && level < static_cast<std::int64_t>(description_.levels.size()),
               "level must be 0 to " + std::to_string(description_.levels.size() - 1) + ", got " +
                   std::to_string(level));
  const auto& [width, height, downsample] = description_.levels[static_cast<std::size_t>(level)];
  return resample_window(
      [&](const SlideWindow& window, std::uint8_t* pixels) {
        fill(static_cast<std::int32_t>(level), window, pixels);
      },
      width, height, geometry);
}

}  // namespace stainfold
