// What one JavaScript environment (the main thread, a worker) owns: its threads, its error factory, and the
// mailbox through which finished calls come back. Every member runs on the environment's own thread, unless
// it says otherwise.
#pragma once

#include <napi.h>

#include <deque>
#include <list>
#include <memory>
#include <mutex>
#include <vector>

#include "core/job_thread.h"
#include "napi/errors.h"

namespace stainfold::addon {

class Call;

class Environment : public std::enable_shared_from_this<Environment> {
 public:
  // Once per environment, at module initialisation.
  static void attach(Napi::Env env);
  static Environment& of(Napi::Env env);

  explicit Environment(Napi::Env env);
  ~Environment();

  void set_error_factory(const Napi::Function& create_error);
  // The process ends by way of JavaScript's 'exit'. On the main thread, whose end no cleanup hook precedes,
  // this waits for what runs, but not for long.
  void process_ends(int code);

  // A StainfoldError; before initialize() a plain Error with `code`; what the factory threw, should it throw.
  Napi::Value error(const Failure& failure) const;

  // The thread is joined by the environment, after somebody stopped it or when the environment goes. Once
  // that has gone, every job of it is dropped. Throws std::system_error where the system gives no thread.
  JobThread& start_thread();
  // Shared by the calls that belong to no object; started when first used.
  JobThread& compute_thread();
  // One of those that decode images, by its number; started when first used.
  JobThread& decode_thread(std::size_t number);

  // For short jobs that need not wait for one another: of a few threads the one with the least to do.
  JobThread& pool_thread();

  // The job that runs the call and brings it back. From here until it is settled the call keeps the event
  // loop alive.
  Job enlist(std::unique_ptr<Call> call);

 private:
  static void on_wakeup(Napi::Env env, Napi::Function, Environment* self, void*);
  using Wakeup = Napi::TypedThreadSafeFunction<Environment, void, on_wakeup>;

  void deliver(std::unique_ptr<Call> call);  // from any thread
  void settle_finished();
  void abandon();    // nothing settles, nothing is begun any more
  void shut_down();  // the same, and waits for what runs

  Napi::Env env_;
  const bool main_thread_;  // of the process
  Napi::FunctionReference create_error_;
  Wakeup wakeup_;
  std::size_t pending_ = 0;  // enlisted and not settled
  std::list<JobThread> threads_;
  JobThread* compute_ = nullptr;
  std::vector<JobThread*> decoders_;
  std::vector<JobThread*> pool_;

  std::mutex mutex_;  // guards the two below
  std::deque<std::unique_ptr<Call>> finished_;
  bool closed_ = false;  // nothing settles any more
};

}  // namespace stainfold::addon
