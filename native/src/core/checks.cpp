#include "core/checks.h"

#include <sstream>

namespace stainfold {

std::string to_string(at::IntArrayRef shape) {
  std::ostringstream text;
  text << '[';
  for (std::size_t i = 0; i < shape.size(); ++i) {
    if (i) text << ',';
    if (shape[i] < 0) {
      text << '*';
    } else {
      text << shape[i];
    }
  }
  text << ']';
  return text.str();
}

void check_shape(const at::Tensor& tensor, const char* name, std::initializer_list<std::int64_t> shape) {
  const at::IntArrayRef expected(shape);
  const at::IntArrayRef got = tensor.sizes();
  bool same = got.size() == expected.size();
  for (std::size_t i = 0; same && i < got.size(); ++i) same = expected[i] < 0 || expected[i] == got[i];
  if (!same) {
    throw Error(ErrorCode::shape,
                std::string(name) + " must have shape " + to_string(expected) + ", got " + to_string(got));
  }
}

void check_dtype(const at::Tensor& tensor, const char* name, std::initializer_list<at::ScalarType> allowed) {
  std::string names;
  for (const at::ScalarType type : allowed) {
    if (tensor.scalar_type() == type) return;
    names += (names.empty() ? "" : " or ") + std::string(c10::toString(type));
  }
  throw Error(ErrorCode::dtype,
              std::string(name) + " must be " + names + ", got " + c10::toString(tensor.scalar_type()));
}

void check_tiles(const at::Tensor& tiles) {
  check_dtype(tiles, "tiles", {at::kByte});
  check_shape(tiles, "tiles", {-1, -1, -1, 3});
  if (tiles.numel() == 0)
    throw Error(ErrorCode::shape, "tiles must not be empty, got " + to_string(tiles.sizes()));
}

}  // namespace stainfold
