// A promise whose work runs on a JobThread.
#pragma once

#include <napi.h>

#include <initializer_list>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

#include "napi/environment.h"
#include "napi/errors.h"

namespace stainfold::addon {

// Made, settled and destroyed on the event loop's thread; only run() is elsewhere. Settled once: by settle(),
// or never, where the environment ends first.
class Call {
 public:
  explicit Call(Napi::Env env) : deferred_(Napi::Promise::Deferred::New(env)) {}
  virtual ~Call() = default;

  Napi::Promise promise() const { return deferred_.Promise(); }

  // Keeps a JavaScript object (an argument's memory, the receiver) alive until the call is settled.
  void hold(const Napi::Value& value) { held_.push_back(Napi::Persistent(value.As<Napi::Object>())); }
  void dropped_as(Failure failure) { when_dropped_ = std::move(failure); }

  void run() noexcept;   // on the JobThread
  void drop() noexcept;  // instead of run
  void settle(Environment& environment, Napi::Env env) noexcept;

 protected:
  virtual void work() = 0;
  virtual Napi::Value result(Napi::Env env) = 0;

 private:
  Napi::Promise::Deferred deferred_;
  std::vector<Napi::ObjectReference> held_;
  Failure when_dropped_ = {"STAINFOLD_DISPOSED", "the environment is shutting down"};
  std::optional<Failure> failure_;
};

namespace detail {

struct Nothing {};

template <typename Work, typename ToJs>
class ClosureCall final : public Call {
  using Returned = std::invoke_result_t<Work&>;
  using Result = std::conditional_t<std::is_void_v<Returned>, Nothing, Returned>;

 public:
  ClosureCall(Napi::Env env, Work work, ToJs to_js)
      : Call(env), work_(std::move(work)), to_js_(std::move(to_js)) {}

 protected:
  void work() override {
    if constexpr (std::is_void_v<Returned>) {
      work_();
      result_.emplace();
    } else {
      result_.emplace(work_());
    }
  }
  Napi::Value result(Napi::Env env) override {
    if constexpr (std::is_void_v<Returned>) {
      return to_js_(env);
    } else {
      return to_js_(env, std::move(*result_));
    }
  }

 private:
  Work work_;
  ToJs to_js_;
  std::optional<Result> result_;
};

}  // namespace detail

// work() runs on the thread; to_js(env, what work returned) makes the promise's value, back on the event
// loop.
template <typename Work, typename ToJs>
std::unique_ptr<Call> make_call(Napi::Env env, Work work, ToJs to_js) {
  return std::make_unique<detail::ClosureCall<Work, ToJs>>(env, std::move(work), std::move(to_js));
}

template <typename Work, typename ToJs>
Napi::Value post_to(JobThread& thread, Napi::Env env, const std::vector<Napi::Value>& held, Work work,
                    ToJs to_js) {
  std::unique_ptr<Call> call = make_call(env, std::move(work), std::move(to_js));
  for (const Napi::Value& value : held) call->hold(value);
  const Napi::Promise promise = call->promise();
  thread.post(Environment::of(env).enlist(std::move(call)));
  return promise;
}

// Posts a call that belongs to no object to the environment's compute thread. held: the arguments whose
// memory work reads.
template <typename Work, typename ToJs>
Napi::Value compute(Napi::Env env, std::initializer_list<Napi::Value> held, Work work, ToJs to_js) {
  return post_to(Environment::of(env).compute_thread(), env, held, std::move(work), std::move(to_js));
}

// The same for a call that may run beside others of its kind.
template <typename Work, typename ToJs>
Napi::Value pooled(Napi::Env env, const std::vector<Napi::Value>& held, Work work, ToJs to_js) {
  return post_to(Environment::of(env).pool_thread(), env, held, std::move(work), std::move(to_js));
}

// The body of a synchronous function: what it throws becomes a JavaScript exception.
template <typename Body>
auto guard(Napi::Env env, Body body) -> decltype(body()) {
  try {
    return body();
  } catch (const Napi::Error&) {
    throw;
  } catch (...) {
    throw Napi::Error(env, Environment::of(env).error(current_failure()));
  }
}

// The body of a function that returns a promise: what it throws becomes a rejection.
template <typename Body>
Napi::Value guard_async(Napi::Env env, Body body) {
  const auto rejected = [env](const Napi::Value& reason) {
    const auto deferred = Napi::Promise::Deferred::New(env);
    deferred.Reject(reason);
    return deferred.Promise();
  };
  try {
    return body();
  } catch (const Napi::Error& error) {
    return rejected(error.Value());
  } catch (...) {
    return rejected(Environment::of(env).error(current_failure()));
  }
}

}  // namespace stainfold::addon
