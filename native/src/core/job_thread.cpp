#include "core/job_thread.h"

#include <utility>

#include "core/interrupt.h"

namespace stainfold {

JobThread::JobThread() : thread_([this] { loop(); }) {}

JobThread::~JobThread() {
  stop();
  join();
}

void JobThread::post(Job job) {
  {
    const std::lock_guard lock(mutex_);
    if (!stopping_) {
      queue_.push_back(std::move(job));
      ++backlog_;
      wake_.notify_one();
      return;
    }
  }
  job.drop();
}

void JobThread::stop(std::optional<Job> last) {
  std::deque<Job> dropped;
  {
    std::unique_lock lock(mutex_);
    if (std::exchange(stopping_, true)) {
      lock.unlock();
      if (last) last->drop();
      return;
    }
    dropped.swap(queue_);
    backlog_ -= dropped.size();
  }
  // Outside the lock: a drop may post again. Before `last` is there, or the thread would run it beside them.
  for (Job& job : dropped) job.drop();
  const std::lock_guard lock(mutex_);
  if (last) {
    queue_.push_back(std::move(*last));
    ++backlog_;
  }
  closed_ = true;
  wake_.notify_one();
}

void JobThread::abandon() {
  abandoned_ = true;
  stop();
}

void JobThread::join() {
  if (thread_.joinable()) thread_.join();
}

bool JobThread::ends_by(std::chrono::steady_clock::time_point when) {
  std::unique_lock lock(mutex_);
  return finished_.wait_until(lock, when, [this] { return ended_.load(); });
}

void JobThread::loop() {
  const Interruptible interruptible(abandoned_);
  while (true) {
    Job job;
    {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [this] { return closed_ || !queue_.empty(); });
      if (queue_.empty()) break;
      job = std::move(queue_.front());
      queue_.pop_front();
    }
    job.run();
    --backlog_;
  }
  const std::lock_guard lock(mutex_);
  ended_ = true;
  finished_.notify_all();
}

}  // namespace stainfold
