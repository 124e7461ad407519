#include "core/job_thread.h"

#include <utility>

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
    const std::lock_guard lock(mutex_);
    if (stopping_) {
      if (last) dropped.push_back(std::move(*last));
    } else {
      stopping_ = true;
      dropped.swap(queue_);
      backlog_ -= dropped.size();
      if (last) {
        queue_.push_back(std::move(*last));
        ++backlog_;
      }
      wake_.notify_one();
    }
  }
  // Outside the lock: a drop may post again.
  for (Job& job : dropped) job.drop();
}

void JobThread::join() {
  if (thread_.joinable()) thread_.join();
}

void JobThread::loop() {
  while (true) {
    Job job;
    {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
      if (queue_.empty()) break;
      job = std::move(queue_.front());
      queue_.pop_front();
    }
    job.run();
    --backlog_;
  }
  ended_ = true;
}

}  // namespace stainfold
