#include "infer/cpu/pool.h"

#include <atomic>
#include <memory>
#include <thread>
#include <vector>

#include "cases.h"

using stainfold::cpu::Pool;

namespace {

// How often each item was run, by members that are in the team and alone under their number.
bool each_once(const Pool::Team& team, int items) {
  std::vector<std::atomic<int>> runs(static_cast<std::size_t>(items));
  std::vector<std::atomic<bool>> busy(64);
  std::atomic<bool> good = true;
  team.run(items, [&](int item, int member) {
    auto& mine = busy[static_cast<std::size_t>(member)];
    if (member < 0 || member >= team.size() || mine.exchange(true)) good = false;
    ++runs[static_cast<std::size_t>(item)];
    mine = false;
  });
  for (const auto& count : runs) good = good && count == 1;
  return good;
}

}  // namespace

TEST_CASE("a team runs every item once") {
  Pool pool;
  for (const int threads : {1, 2, 3, 9}) {
    const Pool::Team team(pool, threads);
    CHECK(team.size() == threads);
    for (const int items : {0, 1, 2, 7, 1000, 70000}) CHECK(each_once(team, items));
  }
}

TEST_CASE("pieces of work that follow closely do not mix") {
  Pool pool;
  const Pool::Team team(pool, 4);
  bool good = true;
  for (int i = 0; i < 3000; ++i) good = good && each_once(team, 1 + i % 9);
  CHECK(good);
}

TEST_CASE("a second caller is alone, and has the threads when the first is done") {
  Pool pool;
  {
    const Pool::Team first(pool, 3);
    std::thread([&] {
      const Pool::Team second(pool, 3);
      CHECK(second.size() == 1);
      CHECK(each_once(second, 10));
    }).join();
    CHECK(each_once(first, 10));
  }
  CHECK(Pool::Team(pool, 3).size() == 3);
}

TEST_CASE("a pool ends while its threads sleep or have never worked") {
  for (int i = 0; i < 20; ++i) {
    Pool pool;
    const Pool::Team team(pool, 3);
    if (i % 2 == 0) CHECK(each_once(team, 5));
  }
}

// Plain memory on purpose: ThreadSanitizer reports what the pool fails to order.
TEST_CASE("what the members write is there for the caller, and for the next piece of work") {
  for (int round = 0; round < 20; ++round) {
    Pool pool;
    std::atomic<bool> good = true;
    std::vector<std::thread> callers;
    for (int caller = 0; caller < 3; ++caller) {
      callers.emplace_back([&pool, &good, caller] {
        for (int turn = 0; turn < 10; ++turn) {
          const Pool::Team team(pool, 2 + (caller + turn) % 3);
          std::vector<int> squares(50, 0), sums(50, 0);
          team.run(50, [&](int item, int) { squares[static_cast<std::size_t>(item)] = item * item; });
          team.run(50, [&](int item, int) {
            const auto at = static_cast<std::size_t>(item);
            sums[at] = squares[at] + squares[49 - at];
          });
          for (int i = 0; i < 50; ++i) {
            if (sums[static_cast<std::size_t>(i)] != i * i + (49 - i) * (49 - i)) good = false;
          }
        }
      });
    }
    for (std::thread& thread : callers) thread.join();
    CHECK(good);
  }
}
