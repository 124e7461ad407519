// libopenslide, opened when first needed: no header of it, nothing linked. Its C API has been stable
// since 3.3.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

extern "C" {
struct openslide_t;
struct openslide_cache_t;
}

namespace stainfold {

struct OpenSlideLibrary {
  std::string path;  // as dlopen took it
  std::string version;

  const char* (*get_version)();
  const char* (*detect_vendor)(const char* path);  // null: no format of this library
  openslide_t* (*open)(const char* path);          // null: likewise
  void (*close)(openslide_t*);
  const char* (*get_error)(openslide_t*);  // null: none; once there is one, the handle can only be closed
  std::int32_t (*get_level_count)(openslide_t*);
  void (*get_level_dimensions)(openslide_t*, std::int32_t level, std::int64_t* width, std::int64_t* height);
  double (*get_level_downsample)(openslide_t*, std::int32_t level);
  void (*read_region)(openslide_t*, std::uint32_t* into, std::int64_t x, std::int64_t y, std::int32_t level,
                      std::int64_t width, std::int64_t height);
  const char* const* (*get_property_names)(openslide_t*);
  const char* (*get_property_value)(openslide_t*, const char* name);
  const char* const* (*get_associated_image_names)(openslide_t*);

  // Since 4.0; null before.
  std::int64_t (*get_icc_profile_size)(openslide_t*);
  void (*read_icc_profile)(openslide_t*, void* into);
  openslide_cache_t* (*cache_create)(std::size_t bytes);
  void (*set_cache)(openslide_t*, openslide_cache_t*);
  void (*cache_release)(openslide_cache_t*);
};

// The first of `names` (paths, or names for the system's search) that loads and has the symbols. The process
// keeps it: a later call with other names gets the same one. Throws ErrorCode::openslide with each one's
// reason.
const OpenSlideLibrary& load_openslide(const std::vector<std::string>& names);

}  // namespace stainfold
