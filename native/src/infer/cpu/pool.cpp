#include "infer/cpu/pool.h"

#include <chrono>

namespace stainfold::cpu {
namespace {

constexpr auto kPatience = std::chrono::microseconds(50);  // more than between two layers, less than a tile

constexpr int items_of(std::uint64_t state) { return static_cast<int>(state >> 16 & 0xffff); }
constexpr int next_of(std::uint64_t state) { return static_cast<int>(state & 0xffff); }

// Yields until the condition holds or patience ends.
template <typename Condition>
bool comes_soon(const Condition& condition) {
  const auto end = std::chrono::steady_clock::now() + kPatience;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::yield();
  }
  return true;
}

}  // namespace

Pool::~Pool() {
  stop_ = true;
  ++wake_;
  wake_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

Pool::Team::Team(Pool& pool, int threads) : pool_(&pool), lock_(pool.busy_, std::defer_lock) {
  if (threads < 2 || !lock_.try_lock()) return;
  pool.grow(threads - 1);
  pool.members_ = threads;
  size_ = threads;
}

void Pool::grow(int threads) {
  while (static_cast<int>(threads_.size()) < threads) {
    const int member = static_cast<int>(threads_.size()) + 1;
    threads_.emplace_back([this, member] { work(member); });
  }
}

void Pool::share(int items, Call call, const void* body) {
  finished_ = 0;
  call_ = call;
  body_ = body;
  state_ = ((state_ >> 32) + 1) << 32 | static_cast<std::uint64_t>(items) << 16;
  ++wake_;
  wake_.notify_all();
  while (take(0)) {
  }
  if (comes_soon([&] { return finished_ == items; })) return;
  for (int done = finished_; done != items; done = finished_) finished_.wait(done);
}

bool Pool::take(int member) {
  std::uint64_t state = state_;
  while (next_of(state) < items_of(state)) {
    const Call call = call_;
    const void* const body = body_;
    if (member >= members_) return false;
    if (!state_.compare_exchange_weak(state, state + 1)) continue;
    call(body, next_of(state), member);
    if (finished_.fetch_add(1) + 1 == items_of(state)) finished_.notify_one();
    return true;
  }
  return false;
}

void Pool::work(int member) {
  while (!stop_) {
    const int seen = wake_;
    if (take(member)) continue;
    if (!comes_soon([&] { return wake_ != seen; })) wake_.wait(seen);
  }
}

}  // namespace stainfold::cpu
