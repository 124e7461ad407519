// Batches of tiles as JavaScript gives them: one array, or one array for each tile or run of tiles.
#pragma once

#include <ATen/core/Tensor.h>
#include <napi.h>

#include <cstdint>
#include <vector>

namespace stainfold::addon {

// Memory of typed arrays, which `held` keeps alive, whatever becomes of a list that they came in: none of it
// may change until the tensor has been used.
struct TileList {
  std::vector<std::pair<const std::uint8_t*, std::size_t>> runs;  // bytes
  std::int64_t count, side;
  Napi::Value held;
};

// value: Uint8Array | Uint8Array[], together the bytes of [count,side,side,3]; each of the list whole tiles.
// Throws ErrorCode::dtype or ErrorCode::shape.
TileList tile_list(const Napi::Value& value, std::int64_t count, std::int64_t side);

// [count,side,side,3] uint8 on the CPU. Where the runs follow one another in memory it is that memory; else
// they are copied into `staging`, which grows and is kept for the next batch. pinned: staging memory that a
// GPU reads directly.
at::Tensor gather(const std::vector<std::pair<const std::uint8_t*, std::size_t>>& runs, std::int64_t count,
                  std::int64_t side, bool pinned, at::Tensor& staging);

}  // namespace stainfold::addon
