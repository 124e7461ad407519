// A native object that is built, used and freed on a thread of its own, behind a JavaScript object.
#pragma once

#include <napi.h>

#include <memory>
#include <string>
#include <utility>

#include "napi/call.h"
#include "stainfold/device.h"
#include "stainfold/error.h"

namespace stainfold::addon {

// Calls run in the order they were made. States: new, open, disposed; a failed open leaves it new. Members
// run on the event loop's thread; the functions given to open() and call() as build, report and work run on
// the object's own, which the first of them starts: an object that nobody opened costs no thread.
template <typename T>
class Resident {
 public:
  // kind names the object in messages: "trainer", "encoder".
  Resident(Napi::Env env, std::string kind)
      : environment_(Environment::of(env).shared_from_this()), kind_(std::move(kind)) {
    report_memory(env, 0);
  }

  // Collected without dispose(): no call can be pending, since each holds the JavaScript object. The free
  // still happens over there; the environment joins the thread later.
  ~Resident() {
    if (thread_) thread_->stop(Job{[slot = slot_] { free(*slot); }, [] {}});
  }

  // The body of a method: rejects when disposed, or with what the body throws.
  template <typename Body>
  Napi::Value method(Napi::Env env, Body body) {
    return guard_async(env, [&]() -> Napi::Value {
      require_live();
      return body();
    });
  }

  void require_live() const {
    if (!disposal_.IsEmpty()) throw disposed(kind_);
  }

  // build() -> std::unique_ptr<T>; report(T&) -> R; to_js(env, R).
  template <typename Build, typename Report, typename ToJs>
  Napi::Value open(const Napi::CallbackInfo& info, std::initializer_list<Napi::Value> held, Build build,
                   Report report, ToJs to_js) {
    return submit(
        info, held,
        [slot = slot_, kind = kind_, build = std::move(build), report = std::move(report)] {
          if (*slot) throw Error(ErrorCode::state, "this " + kind + " is open already");
          std::unique_ptr<T> built = build();
          auto reported = report(*built);
          *slot = std::move(built);
          return reported;
        },
        std::move(to_js));
  }

  // work(T&) -> R; to_js(env, R), or to_js(env) where work returns nothing.
  template <typename Work, typename ToJs>
  Napi::Value call(const Napi::CallbackInfo& info, std::initializer_list<Napi::Value> held, Work work,
                   ToJs to_js) {
    return submit(
        info, held,
        [slot = slot_, kind = kind_, work = std::move(work)] {
          if (!*slot) throw Error(ErrorCode::state, "this " + kind + " is not open");
          return work(**slot);
        },
        std::move(to_js));
  }

  // The same promise every time.
  Napi::Value dispose(const Napi::CallbackInfo& info) {
    if (disposal_.IsEmpty() && !thread_) {
      const auto nothing = Napi::Promise::Deferred::New(info.Env());
      nothing.Resolve(info.Env().Undefined());
      disposal_ = Napi::Persistent(nothing.Promise());
    } else if (disposal_.IsEmpty()) {
      std::unique_ptr<Call> call = make_call(
          info.Env(), [slot = slot_] { free(*slot); },
          [this](Napi::Env env) {
            report_memory(env, 0);
            return env.Undefined();
          });
      call->hold(info.This());
      disposal_ = Napi::Persistent(call->promise());
      std::exchange(thread_, nullptr)->stop(environment_->enlist(std::move(call)));
    }
    return disposal_.Value();
  }

  // Tells V8 how much native memory the JavaScript object stands for, so that it collects in time what nobody
  // disposed of. bytes: of the object on the thread, 0 without one.
  void report_memory(Napi::Env env, std::int64_t bytes) {
    report_all(env, bytes == 0 ? kShellBytes : kShellBytes + kThreadBytes + bytes);
  }

  // The JavaScript object has been collected.
  void collected(Napi::Env env) { report_all(env, 0); }

 private:
  static void free(std::unique_ptr<T>& object) {
    object.reset();
    release_cached_memory();
  }

  template <typename Work, typename ToJs>
  Napi::Value submit(const Napi::CallbackInfo& info, std::initializer_list<Napi::Value> held, Work work,
                     ToJs to_js) {
    std::unique_ptr<Call> call = make_call(info.Env(), std::move(work), std::move(to_js));
    call->hold(info.This());
    for (const Napi::Value& value : held) call->hold(value);
    call->dropped_as(disposed(kind_));
    if (!thread_) thread_ = &environment_->start_thread();
    const Napi::Promise promise = call->promise();
    thread_->post(environment_->enlist(std::move(call)));
    return promise;
  }

  void report_all(Napi::Env env, std::int64_t bytes) {
    Napi::MemoryManagement::AdjustExternalMemory(env, bytes - std::exchange(reported_bytes_, bytes));
  }

  // What is left of an object that was disposed of, or never opened: options, references.
  static constexpr std::int64_t kShellBytes = std::int64_t{1} << 13;
  // What a thread takes beside the object: its stack, its allocator's arena, what LibTorch keeps for it.
  static constexpr std::int64_t kThreadBytes = std::int64_t{1} << 20;

  std::shared_ptr<Environment> environment_;
  JobThread* thread_ = nullptr;  // owned by the environment; null before the first call and once disposed
  std::string kind_;
  std::shared_ptr<std::unique_ptr<T>> slot_ = std::make_shared<std::unique_ptr<T>>();  // the thread's own
  Napi::Reference<Napi::Promise> disposal_;
  std::int64_t reported_bytes_ = 0;
};

}  // namespace stainfold::addon
