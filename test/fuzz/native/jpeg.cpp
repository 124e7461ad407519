// A tile's JPEG, as a folder may hold it.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "fuzz/native/input.h"
#include "stainfold/decode.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  // libjpeg is not instrumented: what it writes beyond the pixels is seen in what lies around them.
  constexpr std::size_t around = 4096;
  constexpr std::uint8_t mark = 0xA5;
  fuzz::Input input(data, size);
  const std::int64_t side = 8 * input.between(1, 4);
  const auto bytes = static_cast<std::size_t>(3 * side * side);
  const std::vector<std::uint8_t> jpeg(input.data(), input.data() + input.size());  // of its exact size
  std::vector<std::uint8_t> memory(around + bytes + around, mark);
  stainfold::decode_jpeg(jpeg.data(), jpeg.size(), side, memory.data() + around);
  const auto marked = [&](std::size_t from) {
    const auto at = memory.begin() + static_cast<std::ptrdiff_t>(from);
    return std::all_of(at, at + around, [](std::uint8_t value) { return value == mark; });
  };
  if (marked(0) && marked(around + bytes)) return 0;
  std::fprintf(stderr, "broken: pixels were written beyond the tile\n");
  std::abort();
}
