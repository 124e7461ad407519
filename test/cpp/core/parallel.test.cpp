// Work shared among LibTorch's threads: each item once, whatever happens.
#include "core/parallel.h"

#include <ATen/Parallel.h>

#include <atomic>
#include <mutex>
#include <set>
#include <stdexcept>
#include <thread>
#include <vector>

#include "testing.h"

using namespace stainfold;

namespace {

struct Threads {
  explicit Threads(int count) { at::set_num_threads(count); }
  ~Threads() { at::set_num_threads(before); }
  int before = at::get_num_threads();
};

}  // namespace

TEST_CASE("every item is worked on once, for any number of items and threads") {
  for (const int threads : {1, 2, 3}) {
    const Threads scope(threads);
    for (const std::int64_t count : {0, 1, 2, 3, 100}) {
      std::vector<std::atomic<int>> times(static_cast<std::size_t>(count));
      in_parallel(count, [&](std::int64_t i) { ++times[static_cast<std::size_t>(i)]; });
      for (const auto& n : times) CHECK(n == 1);
    }
  }
}

TEST_CASE("more than one thread works, and none starts threads of its own") {
  const Threads scope(2);
  std::mutex mutex;
  std::set<std::thread::id> seen;
  std::atomic<int> waiting{0};
  std::atomic<int> nested{0};
  // Each waits for the other: one thread alone would wait in vain, but not for ever.
  in_parallel(2, [&](std::int64_t) {
    ++waiting;
    for (int tries = 0; waiting < 2 && tries < 2000; ++tries)
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    {
      const std::lock_guard lock(mutex);
      seen.insert(std::this_thread::get_id());
    }
    const auto self = std::this_thread::get_id();
    in_parallel(4, [&](std::int64_t) { nested += std::this_thread::get_id() == self; });
  });
  CHECK(seen.size() == 2);
  CHECK(nested == 8);
}

TEST_CASE("what work throws arrives at the caller") {
  for (const int threads : {1, 2}) {
    const Threads scope(threads);
    CHECK_THROWS_AS(in_parallel(8,
                                [](std::int64_t i) {
                                  if (i == 5) throw std::runtime_error("five");
                                }),
                    std::runtime_error);
  }
}
