#include "napi/call.h"

namespace stainfold::addon {

void Call::run() noexcept {
  try {
    work();
  } catch (...) {
    failure_ = current_failure();
  }
}

void Call::drop() noexcept { failure_ = std::move(when_dropped_); }

void Call::settle(Environment& environment, Napi::Env env) noexcept {
  // A worker that is being terminated refuses every JavaScript operation with a Napi::Error. Then nobody
  // waits for the promise any more; it must only not be concluded twice, because the first try frees it.
  try {
    const Napi::HandleScope scope(env);
    Napi::Value value;
    if (!failure_) {
      try {
        value = result(env);
      } catch (const Napi::Error& error) {
        failure_ = Failure{"STAINFOLD_INTERNAL", error.Message()};
      } catch (...) {
        failure_ = current_failure();
      }
    }
    if (failure_) {
      deferred_.Reject(environment.error(*failure_));
    } else {
      deferred_.Resolve(value);
    }
  } catch (const Napi::Error&) {
  }
}

}  // namespace stainfold::addon
