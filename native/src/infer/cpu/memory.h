// Float32 that starts as zeros, on a cache line's boundary. Pages that nobody touches cost nothing.
#pragma once

#include <cstddef>
#include <memory>

namespace stainfold::cpu {

class Memory {
 public:
  Memory() = default;
  explicit Memory(std::size_t floats);  // throws std::bad_alloc
  float* data() const { return data_.get(); }
  std::size_t bytes() const { return data_.get_deleter().bytes; }

 private:
  struct Release {
    std::size_t bytes;
    void operator()(float* data) const;
  };
  std::unique_ptr<float, Release> data_;
};

}  // namespace stainfold::cpu
