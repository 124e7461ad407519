#include "napi/environment.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <chrono>
#include <thread>
#include <utility>

#include "core/interrupt.h"
#include "napi/call.h"
#include "napi/process_end.h"

namespace stainfold::addon {
namespace {

// Objects of the addon share the environment with Node: whichever goes last frees it.
using Holder = std::shared_ptr<Environment>;

// A step of training is often over by then. Together with the rest of an exit it stays below a second.
constexpr std::chrono::milliseconds most_patience{400};

bool is_main_thread(Napi::Env env) {
  const auto process = env.Global().Get("process").As<Napi::Object>();
  const Napi::Value built_in = process.Get("getBuiltinModule");
  if (!built_in.IsFunction()) return false;  // then an end waits, for as long as it takes
  const Napi::Value threads =
      built_in.As<Napi::Function>().Call(process, {Napi::String::New(env, "worker_threads")});
  return threads.IsObject() && threads.As<Napi::Object>().Get("isMainThread").ToBoolean();
}

}  // namespace

void Environment::attach(Napi::Env env) {
  auto* const holder = new Holder(std::make_shared<Environment>(env));
  env.SetInstanceData<Holder>(holder);

  // Hooks run last in, first out: this one comes after the thread-safe function's own, so the threads are
  // joined while it still works. It runs when a worker ends or is terminated and when the main thread ends by
  // itself.
  env.AddCleanupHook(
      [](Environment* environment) {
        environment->shut_down();
        environment->wakeup_.Release();
        environment->create_error_.Reset();
      },
      holder->get());

  // process.exit() and an uncaught exception run no cleanup hooks on the main thread. Static destructors
  // follow, and a thread still computing would meet LibTorch without its globals.
  const auto process = env.Global().Get("process").As<Napi::Object>();
  process.Get("once").As<Napi::Function>().Call(
      process, {Napi::String::New(env, "exit"), Napi::Function::New(env, [](const Napi::CallbackInfo& info) {
                  const int code = info[0].IsNumber() ? info[0].As<Napi::Number>().Int32Value() : 0;
                  Environment::of(info.Env()).process_ends(code);
                })});
}

Environment& Environment::of(Napi::Env env) { return **env.GetInstanceData<Holder>(); }

Environment::Environment(Napi::Env env)
    : env_(env), main_thread_(is_main_thread(env)), wakeup_(Wakeup::New(env, "stainfold", 0, 1, this)) {
  wakeup_.Unref(env);
}

Environment::~Environment() { shut_down(); }

void Environment::set_error_factory(const Napi::Function& create_error) {
  create_error_ = Napi::Persistent(create_error);
}

Napi::Value Environment::error(const Failure& failure) const {
  if (!create_error_.IsEmpty()) {
    try {
      return create_error_.Call(
          {Napi::String::New(env_, failure.code), Napi::String::New(env_, failure.what)});
    } catch (const Napi::Error& thrown) {
      return thrown.Value();
    }
  }
  Napi::Object error = Napi::Error::New(env_, failure.what).Value();
  error["code"] = failure.code;
  return error;
}

JobThread& Environment::start_thread() {
  threads_.remove_if([](const JobThread& thread) { return thread.ended(); });
  JobThread& thread = threads_.emplace_back();
  if (closed_) thread.stop();
  return thread;
}

JobThread& Environment::compute_thread() {
  if (!compute_) compute_ = &start_thread();
  return *compute_;
}

JobThread& Environment::decode_thread(std::size_t number) {
  while (decoders_.size() <= number) decoders_.push_back(&start_thread());
  return *decoders_[number];
}

JobThread& Environment::pool_thread() {
  if (pool_.empty()) {
    // One more than the cores, up to a few: reading a file waits for the disk now and then.
    const std::size_t threads = std::clamp(std::thread::hardware_concurrency() + 1, 2U, 17U);
    while (pool_.size() < threads) pool_.push_back(&start_thread());
  }
  return **std::ranges::min_element(pool_, {}, [](const JobThread* thread) { return thread->backlog(); });
}

Job Environment::enlist(std::unique_ptr<Call> call) {
  if (pending_++ == 0) wakeup_.Ref(env_);
  // A raw pointer, because the last owner must be the event loop's thread: a call holds JavaScript
  // references.
  Call* const raw = call.release();
  return {[this, raw] {
            // OpenMP counts threads per calling thread: take up what setThreads() said last.
            at::init_num_threads();
            raw->run();
            deliver(std::unique_ptr<Call>(raw));
          },
          [this, raw] {
            raw->drop();
            deliver(std::unique_ptr<Call>(raw));
          }};
}

void Environment::deliver(std::unique_ptr<Call> call) {
  const std::lock_guard lock(mutex_);
  finished_.push_back(std::move(call));
  if (!closed_) wakeup_.NonBlockingCall();
}

void Environment::on_wakeup(Napi::Env env, Napi::Function, Environment* self, void*) {
  if (env != nullptr) self->settle_finished();  // null: Node empties the queue of a closing environment
}

void Environment::settle_finished() {
  std::deque<std::unique_ptr<Call>> finished;
  {
    const std::lock_guard lock(mutex_);
    if (closed_) return;
    finished.swap(finished_);
  }
  for (std::unique_ptr<Call>& call : finished) {
    if (--pending_ == 0) wakeup_.Unref(env_);
    call->settle(*this, env_);
    call.reset();
  }
}

void Environment::process_ends(int code) {
  if (!main_thread_) return shut_down();
  interrupt_all();  // a worker that computes would hold up the end as well
  abandon();
  const auto patience = std::chrono::steady_clock::now() + most_patience;
  for (JobThread& thread : threads_) {
    if (!thread.ends_by(patience)) return end_without_destructors(code);
  }
  shut_down();
}

void Environment::abandon() {
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
  }
  for (JobThread& thread : threads_) thread.abandon();  // all first, so that they finish side by side
}

void Environment::shut_down() {
  abandon();
  for (JobThread& thread : threads_) thread.join();
  std::deque<std::unique_ptr<Call>> finished;
  {
    const std::lock_guard lock(mutex_);
    finished.swap(finished_);
  }
}

}  // namespace stainfold::addon
