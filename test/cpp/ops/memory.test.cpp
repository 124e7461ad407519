// Memory is O(M d): the M x M matrix must not exist, whole or by sums of blocks.
#include <ATen/ATen.h>
#include <c10/core/CPUAllocator.h>

#include <atomic>

#include "ops/golden.h"
#include "ops/reference.h"
#include "stainfold/losses.h"
#include "testing.h"

using namespace stainfold;
using namespace stainfold::testing;

namespace {

std::atomic<std::int64_t> live_bytes, peak_bytes;

// Counts what LibTorch's CPU allocator holds.
class CountingAllocator : public c10::Allocator {
 public:
  c10::DataPtr allocate(std::size_t size) override {
    c10::DataPtr inner = c10::GetDefaultCPUAllocator()->allocate(size);
    void* const data = inner.get();
    const std::int64_t now = live_bytes += static_cast<std::int64_t>(size);
    std::int64_t peak = peak_bytes;
    while (now > peak && !peak_bytes.compare_exchange_weak(peak, now)) {
    }
    auto* const held = new Held{std::move(inner), static_cast<std::int64_t>(size)};
    return {data, held, &release, c10::Device(c10::kCPU)};
  }
  void copy_data(void* to, const void* from, std::size_t size) const override {
    default_copy_data(to, from, size);
  }

 private:
  struct Held {
    c10::DataPtr inner;
    std::int64_t size;
  };
  static void release(void* held) {
    live_bytes -= static_cast<Held*>(held)->size;
    delete static_cast<Held*>(held);
  }
};

// Bytes held at the worst moment of the call beyond those held before it.
template <typename Call>
std::int64_t peak_of(Call call) {
  static CountingAllocator counting;
  // Above the priority of the default, below which nothing is replaced.
  c10::SetCPUAllocator(&counting, 1);
  const std::int64_t before = live_bytes;
  peak_bytes = before;
  call();
  c10::SetCPUAllocator(c10::GetDefaultCPUAllocator(), 1);
  return peak_bytes - before;
}

std::int64_t peak_of_loss(std::int64_t rows, std::int64_t dim) {
  const at::Tensor z = golden_embedding(rows, dim, 0).to(at::kFloat);
  return peak_of(
      [&] { differentiate([&](const at::Tensor& x) { return compaction_loss(x, rows / 2, 0.2); }, z); });
}

}  // namespace

TEST_CASE("the allocator sees a matrix of M x M") {
  const at::Tensor z = golden_embedding(512, 8, 0).to(at::kFloat);
  const std::int64_t peak = peak_of(
      [&] { differentiate([&](const at::Tensor& x) { return reference_compaction(x, 256, 0.2); }, z); });
  CHECK(peak > 512 * 512 * 4);
}

TEST_CASE("forward and backward of 8192 rows hold a small part of M x M, and grow with M") {
  const std::int64_t rows = 8192, dim = 64, matrix = rows * rows * 4;
  const std::int64_t peak = peak_of_loss(rows, dim);
  MESSAGE("peak of " << rows << " x " << dim << " float32: " << peak / 1024 << " KiB; M x M would be "
                     << matrix / 1024 << " KiB");
  CHECK(peak > rows * dim * 4);  // the gradient at least: the counter counts
  CHECK(peak < matrix / 8);
  CHECK(peak < 3 * peak_of_loss(rows / 2, dim));
}
