// What OpenSlide adds to the addon's `slide`.
#pragma once

#include <napi.h>

#include "napi/convert.h"
#include "stainfold/slide.h"

namespace stainfold::addon {

SlideGeometry slide_geometry(const Fields& fields);

void add_openslide(Napi::Env env, Napi::Object slide);  // loadOpenSlide, OpenSlide

}  // namespace stainfold::addon
