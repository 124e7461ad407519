#include "napi/tiles.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>

#include <cstring>
#include <string>

#include "napi/convert.h"

namespace stainfold::addon {
namespace {

constexpr std::int64_t largest_tile = 16384;

}  // namespace

TileList tile_list(const Napi::Value& value, std::int64_t count, std::int64_t side) {
  if (!value.IsArray()) {
    const Borrowed whole = borrow(value, "pixels", at::kByte, {count, side, side, 3});
    return {{{whole.tensor.const_data_ptr<std::uint8_t>(), whole.tensor.nbytes()}}, count, side, value};
  }
  if (side < 1 || side > largest_tile) {
    throw Error(ErrorCode::option, "tileSize must be 1 to 16384, got " + std::to_string(side));
  }
  const auto list = value.As<Napi::Array>();
  const auto tile_bytes = static_cast<std::size_t>(3 * side * side);
  // Taken out first: reading a list may run JavaScript, and what runs could take memory away again.
  Napi::Array held = Napi::Array::New(value.Env(), list.Length());
  for (std::uint32_t i = 0; i < list.Length(); ++i) held.Set(i, list.Get(i));
  TileList tiles{{}, count, side, held};
  std::size_t bytes = 0;
  for (std::uint32_t i = 0; i < held.Length(); ++i) {
    const auto [data, elements] = memory_of(held.Get(i), "pixels", at::kByte);
    const auto length = static_cast<std::size_t>(elements);
    if (length == 0 || length % tile_bytes != 0) {
      throw Error(ErrorCode::shape, "each of pixels must be whole tiles of " + std::to_string(tile_bytes) +
                                        " bytes, got " + std::to_string(length));
    }
    tiles.runs.emplace_back(static_cast<const std::uint8_t*>(data), length);
    bytes += length;
  }
  if (count < 1 || bytes / tile_bytes != static_cast<std::size_t>(count)) {
    throw Error(ErrorCode::shape, "pixels must hold " + std::to_string(count) + " tiles of " +
                                      std::to_string(tile_bytes) + " bytes, got " + std::to_string(bytes));
  }
  return tiles;
}

at::Tensor gather(const std::vector<std::pair<const std::uint8_t*, std::size_t>>& runs, std::int64_t count,
                  std::int64_t side, bool pinned, at::Tensor& staging) {
  const std::int64_t shape[] = {count, side, side, 3};
  bool adjacent = true;
  for (std::size_t i = 1; i < runs.size(); ++i) {
    adjacent = adjacent && runs[i].first == runs[i - 1].first + runs[i - 1].second;
  }
  if (adjacent) {
    // Only read; LibTorch has no tensor over constant memory.
    return at::from_blob(const_cast<std::uint8_t*>(runs.front().first), shape, at::TensorOptions(at::kByte));
  }
  const std::int64_t bytes = count * side * side * 3;
  if (!staging.defined() || staging.numel() < bytes) {
    staging = at::empty({bytes}, at::TensorOptions(at::kByte).pinned_memory(pinned));
  }
  auto* to = staging.mutable_data_ptr<std::uint8_t>();
  for (const auto& [from, length] : runs) {
    std::memcpy(to, from, length);
    to += length;
  }
  return staging.narrow(0, 0, bytes).view(shape);
}

}  // namespace stainfold::addon
