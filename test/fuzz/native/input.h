// What a fuzzer gives, taken apart from the front: numbers that may be anything, and bytes as long as there
// are some.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <vector>

namespace fuzz {

class Input {
 public:
  Input(const std::uint8_t* data, std::size_t size) : data_(data), rest_(size) {}

  bool empty() const { return rest_ == 0; }

  // The bytes of a T as they come; zeros beyond the end.
  template <typename T>
  T take() {
    T value{};
    const std::size_t size = std::min(sizeof(T), rest_);
    std::memcpy(&value, data_, size);
    data_ += size;
    rest_ -= size;
    return value;
  }

  // least to most
  std::int64_t between(std::int64_t least, std::int64_t most) {
    return least +
           static_cast<std::int64_t>(take<std::uint16_t>() % static_cast<std::uint64_t>(most - least + 1));
  }

  bool flag() { return (take<std::uint8_t>() & 1) != 0; }

  // Any double at all, or one of a harmless size.
  double number() {
    const bool any = (take<std::uint8_t>() & 3) == 0;
    return any ? take<double>() : static_cast<double>(take<std::int16_t>()) / 16;
  }

  // `count` bytes: those that are left, over and over.
  std::vector<std::uint8_t> bytes(std::size_t count) {
    std::vector<std::uint8_t> into(count, 0);
    if (rest_ == 0) return into;
    for (std::size_t i = 0; i < count; ++i) into[i] = data_[i % rest_];
    const std::size_t used = std::min(count, rest_);
    data_ += used;
    rest_ -= used;
    return into;
  }

  const std::uint8_t* data() const { return data_; }
  std::size_t size() const { return rest_; }

 private:
  const std::uint8_t* data_;
  std::size_t rest_;
};

}  // namespace fuzz
