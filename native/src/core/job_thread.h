// One background thread and its queue. Standard library only.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>

namespace stainfold {

// Exactly one of the two is called, once: run on the thread, or drop on the thread that stops the queue (or
// posts to a stopped one). Neither may throw.
struct Job {
  std::function<void()> run;
  std::function<void()> drop;
};

// Runs jobs in the order they were posted. Every member may be called from any thread, except join() and the
// destructor: they belong to the owner and never to a job.
class JobThread {
 public:
  JobThread();
  ~JobThread();  // stops and joins
  JobThread(const JobThread&) = delete;
  JobThread& operator=(const JobThread&) = delete;

  void post(Job job);

  // Drops what is queued, lets the running job finish, then runs `last` and ends the thread. Returns once the
  // drops are done.
  // On a thread that was stopped before, `last` is dropped.
  void stop(std::optional<Job> last = std::nullopt);

  // Nobody waits for the running job any more: as stop(), and check_interrupt() throws in it.
  void abandon();

  void join();

  // Waits until then at most. True where nothing runs any more.
  bool ends_by(std::chrono::steady_clock::time_point when);

  // Jobs that are queued or running.
  std::size_t backlog() const { return backlog_; }

  // Nothing runs any more: join() returns at once.
  bool ended() const { return ended_; }

 private:
  void loop();

  std::mutex mutex_;
  std::condition_variable wake_, finished_;
  std::deque<Job> queue_;
  bool stopping_ = false;  // takes no more jobs
  bool closed_ = false;    // and has its last
  std::atomic<std::size_t> backlog_ = 0;
  std::atomic<bool> abandoned_ = false, ended_ = false;
  std::thread thread_;  // declared last: it starts once the rest is there
};

}  // namespace stainfold
