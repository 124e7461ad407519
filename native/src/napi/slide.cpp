#include "stainfold/slide.h"

#include <napi.h>

#include <utility>
#include <vector>

#include "napi/call.h"
#include "napi/convert.h"
#include "napi/exports.h"
#include "napi/openslide_wrap.h"

namespace stainfold::addon {
namespace {

Borrowed picture_argument(const Napi::CallbackInfo& info) {
  const std::int64_t height = to_integer(info[1], "height", 1), width = to_integer(info[2], "width", 1);
  return borrow(info[0], "pixels", at::kByte, {height, width, 3});
}

// (pieces: { pixels, x, y, width, height }[], levelWidth, levelHeight, geometry)
Napi::Value slide_region(const Napi::CallbackInfo& info) {
  return guard_async(info.Env(), [&] {
    if (!info[0].IsArray()) throw Error(ErrorCode::option, "pieces must be an array");
    const auto list = info[0].As<Napi::Array>();
    std::vector<SlidePiece> pieces;
    std::vector<Napi::Value> held;
    for (std::uint32_t i = 0; i < list.Length(); ++i) {
      const Fields piece(list.Get(i), "pieces[" + std::to_string(i) + "]");
      const std::int64_t width = piece.integer("width"), height = piece.integer("height");
      const Borrowed pixels = borrow(piece.value("pixels"), "pieces.pixels", at::kByte, {height, width, 3});
      pieces.push_back({pixels.tensor.const_data_ptr<std::uint8_t>(), piece.integer("x"), piece.integer("y"),
                        width, height});
      held.push_back(pixels.array);
    }
    return pooled(
        info.Env(), held,
        [pieces = std::move(pieces), width = to_integer(info[1], "levelWidth", 1),
         height = to_integer(info[2], "levelHeight", 1),
         geometry = slide_geometry(Fields(info[3], "geometry"))] {
          return render_region(pieces, width, height, geometry);
        },
        to_uint8_array);
  });
}

// (pixels, height, width)
Napi::Value slide_halved(const Napi::CallbackInfo& info) {
  return guard_async(info.Env(), [&] {
    const Borrowed pixels = picture_argument(info);
    return pooled(
        info.Env(), {pixels.array}, [pixels = pixels.tensor] { return halve_region(pixels); },
        to_uint8_array);
  });
}

// (pixels, height, width, options)
Napi::Value slide_tissue(const Napi::CallbackInfo& info) {
  return guard_async(info.Env(), [&] {
    const Borrowed pixels = picture_argument(info);
    const Fields fields(info[3], "options");
    TissueOptions options;
    options.least_saturation = fields.number("leastSaturation");
    options.most_saturation = fields.number("mostSaturation");
    options.closing = fields.integer("closing");
    options.smallest = fields.integer("smallest");
    options.largest_hole = fields.integer("largestHole");
    return pooled(
        info.Env(), {pixels.array},
        [pixels = pixels.tensor, options] { return find_tissue(pixels, options); },
        [](Napi::Env env, const TissueFound& found) -> Napi::Value {
          Napi::Object result = Napi::Object::New(env);
          result["mask"] = to_uint8_array(env, found.mask);
          result["threshold"] = found.threshold;
          return result;
        });
  });
}

// (pixels, height, width, mask)
Napi::Value slide_density(const Napi::CallbackInfo& info) {
  return guard_async(info.Env(), [&] {
    const Borrowed pixels = picture_argument(info);
    const Borrowed mask = borrow(info[3], "mask", at::kByte, {pixels.tensor.size(0), pixels.tensor.size(1)});
    return pooled(
        info.Env(), {pixels.array, mask.array},
        [pixels = pixels.tensor, mask = mask.tensor] { return high_density(pixels, mask); },
        [](Napi::Env env, double value) -> Napi::Value { return Napi::Number::New(env, value); });
  });
}

// (points, ringStarts, ringPolygons, height, width)
Napi::Value slide_polygons(const Napi::CallbackInfo& info) {
  return guard_async(info.Env(), [&] {
    const Borrowed points = borrow(info[0], "points", at::kDouble);
    const Borrowed starts = borrow(info[1], "ringStarts", at::kInt);
    const Borrowed polygons = borrow(info[2], "ringPolygons", at::kInt, {starts.tensor.size(0)});
    if (points.tensor.size(0) % 2 != 0) throw Error(ErrorCode::shape, "points must be pairs");
    return pooled(
        info.Env(), {points.array, starts.array, polygons.array},
        [points = points.tensor.view({-1, 2}), starts = starts.tensor, polygons = polygons.tensor,
         height = to_integer(info[3], "height", 1), width = to_integer(info[4], "width", 1)] {
          return fill_polygons(points, starts, polygons, height, width);
        },
        to_uint8_array);
  });
}

// (mask, height, width, boxes)
Napi::Value slide_shares(const Napi::CallbackInfo& info) {
  return guard_async(info.Env(), [&] {
    const std::int64_t height = to_integer(info[1], "height", 1), width = to_integer(info[2], "width", 1);
    const Borrowed mask = borrow(info[0], "mask", at::kByte, {height, width});
    const Borrowed boxes = borrow(info[3], "boxes", at::kDouble);
    if (boxes.tensor.size(0) % 4 != 0)
      throw Error(ErrorCode::shape, "boxes must be x, y, width, height each");
    return pooled(
        info.Env(), {mask.array, boxes.array},
        [mask = mask.tensor, boxes = boxes.tensor.view({-1, 4})] { return box_shares(mask, boxes); },
        to_float32_array);
  });
}

// (tiles, count, height, width, density, blocks)
Napi::Value slide_quality(const Napi::CallbackInfo& info) {
  return guard_async(info.Env(), [&] {
    const std::int64_t count = to_integer(info[1], "count", 1);
    const std::int64_t height = to_integer(info[2], "height", 1), width = to_integer(info[3], "width", 1);
    const Borrowed tiles = borrow(info[0], "tiles", at::kByte, {count, height, width, 3});
    return pooled(
        info.Env(), {tiles.array},
        [tiles = tiles.tensor, density = to_number(info[4], "density"),
         blocks = to_integer(info[5], "blocks", 1)] { return tile_quality(tiles, density, blocks); },
        to_float64_array);
  });
}

}  // namespace

void export_slide(Napi::Env env, Napi::Object exports) {
  Napi::Object slide = Napi::Object::New(env);
  slide["renderRegion"] = Napi::Function::New(env, slide_region, "renderRegion");
  slide["halveRegion"] = Napi::Function::New(env, slide_halved, "halveRegion");
  slide["findTissue"] = Napi::Function::New(env, slide_tissue, "findTissue");
  slide["highDensity"] = Napi::Function::New(env, slide_density, "highDensity");
  slide["fillPolygons"] = Napi::Function::New(env, slide_polygons, "fillPolygons");
  slide["boxShares"] = Napi::Function::New(env, slide_shares, "boxShares");
  slide["tileQuality"] = Napi::Function::New(env, slide_quality, "tileQuality");
  add_openslide(env, slide);
  exports["slide"] = slide;
}

}  // namespace stainfold::addon
