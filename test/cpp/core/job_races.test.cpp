// What many threads do to job threads at the same time, as the addon's environments do. Counters that belong
// to one thread are plain numbers on purpose: ThreadSanitizer (`npm run sanitize`) reports what the queue
// fails to order.
#include <array>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "cases.h"
#include "core/job_thread.h"

using stainfold::Job;
using stainfold::JobThread;

namespace {

void side_by_side(int threads, const std::function<void(int)>& body) {
  std::vector<std::thread> all;
  for (int i = 0; i < threads; ++i) all.emplace_back(body, i);
  for (std::thread& thread : all) thread.join();
}

// What the addon's environment does with finished calls: they wait here for the thread that settles them.
class Mailbox {
 public:
  void deliver(int* call) {
    const std::lock_guard lock(mutex_);
    finished_.push_back(call);
    come_.notify_one();
  }
  int* wait() {
    std::unique_lock lock(mutex_);
    come_.wait(lock, [this] { return !finished_.empty(); });
    int* const call = finished_.front();
    finished_.pop_front();
    return call;
  }

 private:
  std::mutex mutex_;
  std::condition_variable come_;
  std::deque<int*> finished_;
};

constexpr int kRun = 1, kDropped = 2, kDisposed = 3;

// An object on a thread of its own: built, used and freed there.
class Resident {
 public:
  Resident(std::list<JobThread>& threads, Mailbox& mailbox) : mailbox_(mailbox) {
    // As the environment makes room for a new thread.
    threads.remove_if([](const JobThread& thread) { return thread.ended(); });
    thread_ = &threads.emplace_back();
    thread_->post({[slot = slot_] { *slot = std::make_unique<int>(0); }, [] {}});
  }

  void call(int* outcome) {
    thread_->post({[slot = slot_, outcome, &mailbox = mailbox_] {
                     *outcome = kRun + 10 * ++**slot;
                     mailbox.deliver(outcome);
                   },
                   [outcome, &mailbox = mailbox_] {
                     *outcome = kDropped;
                     mailbox.deliver(outcome);
                   }});
  }

  void dispose(int* outcome) {
    thread_->stop(Job{[slot = slot_, outcome, &mailbox = mailbox_] {
                        slot->reset();
                        *outcome = kDisposed;
                        mailbox.deliver(outcome);
                      },
                      [] {}});
  }

  std::size_t backlog() const { return thread_->backlog(); }

 private:
  Mailbox& mailbox_;
  JobThread* thread_;
  std::shared_ptr<std::unique_ptr<int>> slot_ = std::make_shared<std::unique_ptr<int>>();
};

}  // namespace

TEST_CASE("many threads post while others stop: each job is run or dropped, once") {
  constexpr int posters = 4, jobs = 200;
  for (int round = 0; round < 10; ++round) {
    std::array<std::array<int, jobs>, posters> outcome{};  // of its poster, then of whoever runs or drops it
    int last_runs = 0, runs = 0;                           // of the job thread
    std::atomic<int> last_drops = 0, posted = 0;
    {
      JobThread thread;
      side_by_side(posters + 2, [&](int who) {
        if (who >= posters) {
          while (posted.load(std::memory_order_relaxed) < jobs) std::this_thread::yield();
          thread.stop(Job{[&] { ++last_runs; }, [&] { ++last_drops; }});
          return;
        }
        for (int& job : outcome[static_cast<std::size_t>(who)]) {
          job = 10;
          thread.post({[&] {
                         ++runs;
                         job += kRun;
                       },
                       [&] { job += kDropped; }});
          posted.fetch_add(1, std::memory_order_relaxed);  // orders nothing
        }
      });
    }
    CHECK(last_runs == 1);
    CHECK(last_drops == 1);
    int run = 0;
    bool once = true;
    for (const auto& row : outcome) {
      for (const int job : row) {
        run += job == 10 + kRun;
        once = once && (job == 10 + kRun || job == 10 + kDropped);
      }
    }
    CHECK(once);
    CHECK(run == runs);
  }
}

TEST_CASE("environments side by side: objects open, work, report progress and are disposed of while busy") {
  std::array<bool, 4> good{};
  side_by_side(static_cast<int>(good.size()), [&](int environment) {
    bool sound = true;
    Mailbox mailbox;
    std::list<JobThread> threads;
    for (int round = 0; round < 15; ++round) {
      std::array<int, 25> outcomes{};
      std::array<int, 3> disposals{};
      std::vector<Resident> residents;
      for (int i = 0; i < 3; ++i) residents.emplace_back(threads, mailbox);
      for (std::size_t i = 0; i < outcomes.size(); ++i) residents[i % 3].call(&outcomes[i]);
      // Some of what the first does is awaited, the others are cut off at once or never waited for.
      int settled = environment % 2 == 0 ? 0 : 10;
      for (int i = 0; i < settled; ++i) sound = sound && *mailbox.wait() != 0;
      for (std::size_t i = 0; i < 3; ++i) {
        sound = sound && residents[i].backlog() <= outcomes.size() + 1;
        residents[i].dispose(&disposals[i]);
      }
      for (; settled < 28; ++settled) mailbox.wait();
      for (const int outcome : outcomes) sound = sound && (outcome == kDropped || outcome % 10 == kRun);
      for (const int disposal : disposals) sound = sound && disposal == kDisposed;
    }
    for (JobThread& thread : threads) thread.stop();
    for (JobThread& thread : threads) thread.join();
    good[static_cast<std::size_t>(environment)] = sound;
  });
  for (const bool one : good) CHECK(one);
}

TEST_CASE("a thread that was stopped in mid-work leaves what it wrote to whoever joins") {
  for (int round = 0; round < 100; ++round) {
    std::vector<int> written;
    JobThread thread;
    thread.post({[&] { written.push_back(1); }, [&] { written.push_back(-1); }});
    if (round % 2 == 0) std::this_thread::yield();
    thread.stop(Job{[&] { written.push_back(2); }, [] {}});
    thread.join();
    CHECK(written.size() == 2);
    CHECK(written.back() == 2);
  }
}
