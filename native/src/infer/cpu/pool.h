// Threads of an engine's own. LibTorch's at::parallel_for runs serially in files that are not compiled for
// OpenMP, and GNU OpenMP's threads wait by spinning: beside a busy core that made steps ten times slower.
// Here a piece of work is finished when its items are, not when every thread has come: who is late or
// asleep is not waited for. Threads wait some microseconds by yielding, then asleep.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <thread>
#include <vector>

namespace stainfold::cpu {

class Pool {
 public:
  Pool() = default;
  ~Pool();
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  // The caller and the threads that help it. Where another caller has them, the caller is alone.
  class Team {
   public:
    Team() = default;  // nobody but the caller
    Team(Pool& pool, int threads);
    int size() const { return size_; }  // 1: run() is a plain loop

    // Calls body(item, member) once for every item in [0, items), in no order; members count from 0 and
    // none is two threads. The body must not throw.
    template <typename Body>
    void run(int items, const Body& body) const {
      if (size_ == 1 || items == 1) {
        for (int i = 0; i < items; ++i) body(i, 0);
        return;
      }
      for (int first = 0; first < items; first += kMost) {
        const auto call = [&body, first](int item, int member) { body(first + item, member); };
        pool_->share(items - first < kMost ? items - first : kMost, &invoke<decltype(call)>, &call);
      }
    }

   private:
    template <typename Body>
    static void invoke(const void* body, int item, int member) {
      (*static_cast<const Body*>(body))(item, member);
    }
    Pool* pool_ = nullptr;
    std::unique_lock<std::mutex> lock_;
    int size_ = 1;
  };

 private:
  using Call = void (*)(const void* body, int item, int member);
  static constexpr int kMost = 0xffff;  // items at a time

  void share(int items, Call call, const void* body);
  bool take(int member);  // runs an item, if there is one
  void work(int member);
  void grow(int threads);

  std::mutex busy_;  // held by the team
  std::vector<std::thread> threads_;
  // What is to be done: a number of the piece of work, its items (16 bits), the next of them (16 bits). An
  // item is taken by exchanging the whole, so that nobody takes one of a piece that it has not read.
  std::atomic<std::uint64_t> state_{0};
  std::atomic<Call> call_{nullptr};
  std::atomic<const void*> body_{nullptr};
  std::atomic<int> members_{1};
  std::atomic<int> finished_{0};
  std::atomic<int> wake_{0};  // changes with every piece of work: what sleepers watch
  std::atomic<bool> stop_{false};
};

}  // namespace stainfold::cpu
