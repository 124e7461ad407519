// Memory for work that allocates the same sizes over and over, such as a training step. The C library gives
// freed megabytes back to the system, and getting them again costs a fault for each of their pages: here they
// are kept, and lie on huge pages where the system has them. Linux; elsewhere nothing changes.
#pragma once

#include <cstddef>

namespace stainfold {

// While one lives, blocks that are freed are kept for the next of their size. With the last one goes what is
// free.
class KeptMemory {
 public:
  KeptMemory();
  ~KeptMemory();
  KeptMemory(const KeptMemory&) = delete;
  KeptMemory& operator=(const KeptMemory&) = delete;

  // Within it, what LibTorch allocates on this thread for the CPU, kLeast bytes or more, is kept memory. It
  // may be freed by any thread, at any time, also after the scope and the owner of the memory are gone.
  class Scope {
   public:
    explicit Scope(const KeptMemory&);
    ~Scope();
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;
  };

  // What build() returns, made within a scope.
  template <typename Build>
  auto keeping(Build build) const {
    const Scope scope(*this);
    return build();
  }

  static constexpr std::size_t kLeast = std::size_t{64} << 10;

  // Of all owners together; 0 where nothing is kept.
  struct Use {
    std::size_t bytes;  // of blocks that were ever made, in use or free
    std::size_t free;   // of those that wait to be used again
  };
  static Use use();
};

}  // namespace stainfold
