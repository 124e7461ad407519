#include "slide/openslide_library.h"

#include <dlfcn.h>

#include <memory>
#include <mutex>
#include <optional>

#include "stainfold/error.h"

namespace stainfold {
namespace {

struct CloseLibrary {
  void operator()(void* handle) const { dlclose(handle); }
};

std::string last_dl_error() {
  const char* reason = dlerror();
  return reason == nullptr ? "no reason given" : reason;
}

// Fills in every function; the name of the first symbol that is missing, or none.
std::optional<std::string> find_symbols(void* handle, OpenSlideLibrary& library) {
  std::optional<std::string> missing;
  const auto find = [&]<typename Function>(Function*& function, const char* name, bool required = true) {
    function = reinterpret_cast<Function*>(dlsym(handle, name));
    if (function == nullptr && required && !missing) missing = name;
  };
  find(library.get_version, "openslide_get_version");
  find(library.detect_vendor, "openslide_detect_vendor");
  find(library.open, "openslide_open");
  find(library.close, "openslide_close");
  find(library.get_error, "openslide_get_error");
  find(library.get_level_count, "openslide_get_level_count");
  find(library.get_level_dimensions, "openslide_get_level_dimensions");
  find(library.get_level_downsample, "openslide_get_level_downsample");
  find(library.read_region, "openslide_read_region");
  find(library.get_property_names, "openslide_get_property_names");
  find(library.get_property_value, "openslide_get_property_value");
  find(library.get_associated_image_names, "openslide_get_associated_image_names");
  find(library.get_icc_profile_size, "openslide_get_icc_profile_size", false);
  find(library.read_icc_profile, "openslide_read_icc_profile", false);
  find(library.cache_create, "openslide_cache_create", false);
  find(library.set_cache, "openslide_set_cache", false);
  find(library.cache_release, "openslide_cache_release", false);
  return missing;
}

}  // namespace

const OpenSlideLibrary& load_openslide(const std::vector<std::string>& names) {
  static std::mutex mutex;
  static std::optional<OpenSlideLibrary> loaded;
  const std::lock_guard lock(mutex);
  if (loaded) return *loaded;
  std::string reasons;
  for (const std::string& name : names) {
    const std::string so_far = reasons.empty() ? "" : reasons + "; ";
    std::unique_ptr<void, CloseLibrary> handle(dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL));
    if (!handle) {
      reasons = so_far + last_dl_error();
      continue;
    }
    OpenSlideLibrary library{};
    if (const std::optional<std::string> missing = find_symbols(handle.get(), library)) {
      reasons = so_far + name + " has no " + *missing;
      continue;
    }
    library.path = name;
    library.version = library.get_version();
    handle.release();  // never closed: GLib, which it brings, cannot be unloaded
    return loaded.emplace(std::move(library));
  }
  throw Error(ErrorCode::openslide,
              "OpenSlide cannot be loaded: " + (reasons.empty() ? "no name given" : reasons));
}

}  // namespace stainfold
