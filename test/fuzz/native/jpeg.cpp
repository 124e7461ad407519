// A tile's JPEG, as a folder may hold it.
#include <cstdlib>
#include <vector>

#include "fuzz/native/input.h"
#include "stainfold/decode.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input input(data, size);
  const std::int64_t side = 8 * input.between(1, 4);
  // Both in memory of their exact size.
  const std::vector<std::uint8_t> jpeg(input.data(), input.data() + input.size());
  std::vector<std::uint8_t> pixels(static_cast<std::size_t>(3 * side * side));
  stainfold::decode_jpeg(jpeg.data(), jpeg.size(), side, pixels.data());
  return 0;
}
