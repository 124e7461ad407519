#include "infer/cpu/memory.h"

#include <cstdlib>
#include <cstring>
#include <new>

#ifdef __linux__
#include <sys/mman.h>
#endif

namespace stainfold::cpu {
namespace {

constexpr std::size_t kLine = 64;
constexpr std::size_t kLargePage = std::size_t{2} << 20;

// Weights are read from end to end for every group of tiles, which costs a walk of the page table every 4 KB
// where pages are small. Large ones are had by asking before the first touch, on their own boundary: from
// the kernel, since the heap hands out what has been touched.
bool from_kernel(std::size_t bytes) {
#ifdef __linux__
  return bytes >= kLargePage;
#else
  return bytes == 0;
#endif
}

}  // namespace

void Memory::Release::operator()(float* data) const {
#ifdef __linux__
  if (from_kernel(bytes)) {
    munmap(data, bytes);
    return;
  }
#endif
  std::free(data);
}

Memory::Memory(std::size_t floats) {
  const std::size_t unit = floats * sizeof(float) >= kLargePage ? kLargePage : kLine;
  const std::size_t bytes = (floats * sizeof(float) + unit - 1) / unit * unit;
  void* data = nullptr;
#ifdef __linux__
  if (from_kernel(bytes)) {
    // One page too many, of which the ends are given back: mmap knows no alignment.
    void* const wide =
        mmap(nullptr, bytes + unit, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (wide == MAP_FAILED) throw std::bad_alloc();
    char* const first = static_cast<char*>(wide);
    const std::size_t before = (unit - reinterpret_cast<std::size_t>(wide) % unit) % unit;
    if (before > 0) munmap(first, before);
    munmap(first + before + bytes, unit - before);
    data = first + before;
    madvise(data, bytes, MADV_HUGEPAGE);
  }
#endif
  if (data == nullptr) {
    data = std::aligned_alloc(kLine, bytes);
    if (data == nullptr) throw std::bad_alloc();
    std::memset(data, 0, bytes);
  }
  data_ = {static_cast<float*>(data), Release{bytes}};
}

}  // namespace stainfold::cpu
