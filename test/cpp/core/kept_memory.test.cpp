// Kept memory: the same block again, no two at once, and none left when its owners are gone.
#include "core/kept_memory.h"

#include <set>
#include <thread>
#include <vector>

#include "testing.h"

using namespace stainfold;

namespace {

constexpr std::int64_t kFloats = 100'000;  // above kLeast

bool keeps() {
  const KeptMemory memory;
  const KeptMemory::Scope scope(memory);
  at::empty({kFloats});
  return KeptMemory::use().bytes > 0;
}

}  // namespace

TEST_CASE("a block that was freed is the next of its size, within a scope only") {
  if (!keeps()) {
    MESSAGE("skipped: this build keeps no memory");
    return;
  }
  const KeptMemory memory;
  const void* first = nullptr;
  std::size_t made = 0;
  {
    const KeptMemory::Scope scope(memory);
    at::Tensor one = at::empty({kFloats});
    first = one.const_data_ptr();
    one.fill_(3);
    one.reset();
    at::Tensor again = at::empty({kFloats});
    CHECK(again.const_data_ptr() == first);
    const at::Tensor other = at::empty({kFloats});
    CHECK(other.const_data_ptr() != first);
    CHECK(reinterpret_cast<std::uintptr_t>(other.const_data_ptr()) % 64 == 0);
    again.fill_(1);
    at::Tensor(other).fill_(2);
    CHECK(again.sum().item<double>() == kFloats);
    made = KeptMemory::use().bytes;
    again.reset();
    const at::Tensor smaller = at::empty({kFloats * 2 / 3});  // lies in the block of the larger
    CHECK(smaller.const_data_ptr() == first);
    CHECK(KeptMemory::use().bytes == made);
    const at::Tensor small = at::empty({10});
    CHECK(KeptMemory::use().bytes == made);
  }
  CHECK(KeptMemory::use().free > 0);
  const at::Tensor outside = at::empty({kFloats});
  CHECK(outside.const_data_ptr() != first);
  CHECK(KeptMemory::use().bytes == made);
}

TEST_CASE("sizes of every kind fit their blocks, and live blocks never overlap") {
  if (!keeps()) {
    MESSAGE("skipped: this build keeps no memory");
    return;
  }
  const KeptMemory memory;
  const KeptMemory::Scope scope(memory);
  std::vector<at::Tensor> held;
  std::uint32_t state = 9;
  for (int i = 0; i < 200; ++i) {
    state = state * 1664525U + 1013904223U;
    const auto count = static_cast<std::int64_t>(KeptMemory::kLeast + (state >> 8) % 300'000);
    held.push_back(at::full({count}, i % 251, at::kByte));
    if (i % 3 == 2) held.erase(held.begin() + static_cast<std::ptrdiff_t>(state % held.size()));
  }
  for (const at::Tensor& bytes : held) {
    CHECK(bytes.eq(bytes[0]).all().item<bool>());  // nobody else has written there
  }
  for (const int power : {16, 20, 24}) {
    for (const int more : {-1, 0, 1}) {
      const std::int64_t count = (std::int64_t{1} << power) + more;
      CHECK(at::ones({count}, at::kByte).sum().item<std::int64_t>() == count);
    }
  }
}

TEST_CASE("memory outlives its scope, its owner and its thread") {
  if (!keeps()) {
    MESSAGE("skipped: this build keeps no memory");
    return;
  }
  at::Tensor kept;
  std::thread([&] {
    const KeptMemory memory;
    const KeptMemory::Scope scope(memory);
    kept = at::full({kFloats}, 5.0);
    at::empty({3 * kFloats}).fill_(1.0);  // free when the owner goes
  }).join();
  CHECK(kept.sum().item<double>() == 5.0 * kFloats);
  kept.reset();
  const KeptMemory memory;
  const KeptMemory::Scope scope(memory);
  CHECK(at::full({kFloats}, 2.0).sum().item<double>() == 2.0 * kFloats);
}

TEST_CASE("what one allocator gave may be resized and moved under the other") {
  const KeptMemory memory;
  at::Tensor plain = at::full({kFloats}, 1.0), within;
  {
    const KeptMemory::Scope scope(memory);
    within = at::full({kFloats}, 2.0);
    plain.resize_({4 * kFloats});
  }
  within.resize_({4 * kFloats});
  CHECK(plain.narrow(0, 0, kFloats).sum().item<double>() == kFloats);
  CHECK(within.narrow(0, 0, kFloats).sum().item<double>() == 2.0 * kFloats);
}
