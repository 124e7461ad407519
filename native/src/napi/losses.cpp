#include "stainfold/losses.h"

#include <ATen/core/grad_mode.h>
#include <c10/core/CachingDeviceAllocator.h>
#include <c10/core/impl/VirtualGuardImpl.h>
#include <napi.h>

#include <chrono>
#include <vector>

#include "napi/call.h"
#include "napi/convert.h"
#include "napi/exports.h"
#include "stainfold/device.h"

namespace stainfold::addon {
namespace {

struct TimedLoss {
  double loss = 0.0;
  at::Tensor gradient;              // as z
  std::vector<double> seconds;      // of each repeat: forward, backward, and what the device still had to do
  std::int64_t allocated_peak = 0;  // bytes on a device beyond what was there before; 0 on the CPU
};

// What a loss does to a device, seen from outside: when it is done, how much memory it took at most.
class DeviceWatch {
 public:
  explicit DeviceWatch(at::Device device) : device_(device), guard_(device.type()) {}

  void synchronize() const {
    if (!device_.is_cpu()) guard_.synchronizeDevice(device_.index());
  }
  void reset_peak() {
    if (device_.is_cpu()) return;
    before_ = allocated().current;
    at::getDeviceAllocator(device_.type())->resetPeakStats(device_.index());
  }
  std::int64_t peak() const { return device_.is_cpu() ? 0 : allocated().peak - before_; }

 private:
  c10::CachingAllocator::Stat allocated() const {
    return at::getDeviceAllocator(device_.type())
        ->getDeviceStats(device_.index())
        .allocated_bytes[static_cast<std::size_t>(c10::CachingAllocator::StatType::AGGREGATE)];
  }

  at::Device device_;
  c10::impl::VirtualGuardImpl guard_;
  std::int64_t before_ = 0;
};

TimedLoss timed_compaction(const at::Tensor& z, std::int64_t tiles, double temperature, at::Device device,
                           std::int64_t repeats) {
  const at::AutoGradMode differentiable(true);
  const at::Tensor on_device = z.to(device);
  DeviceWatch watch(device);
  watch.synchronize();
  watch.reset_peak();
  TimedLoss timed;
  for (std::int64_t i = 0; i < repeats; ++i) {
    const auto begun = std::chrono::steady_clock::now();
    const at::Tensor leaf = on_device.detach().requires_grad_(true);
    const at::Tensor loss = compaction_loss(leaf, tiles, temperature);
    loss.backward();
    watch.synchronize();
    timed.seconds.push_back(std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count());
    timed.loss = loss.item<double>();
    timed.gradient = leaf.grad();
  }
  timed.allocated_peak = watch.peak();
  timed.gradient = timed.gradient.to(at::kCPU).contiguous();
  return timed;
}

Napi::Value compaction(const Napi::CallbackInfo& info) {
  return guard_async(info.Env(), [&] {
    const Borrowed z = borrow_matrix(info[0], "z");
    if (z.tensor.scalar_type() != at::kFloat) throw Error(ErrorCode::dtype, "z must be a Float32Array");
    const Fields options(info[1], "options");
    return compute(
        info.Env(), {z.array},
        [z = z.tensor, tiles = options.integer("tiles"), temperature = options.number("temperature"),
         device = options.text("device"), repeats = to_integer(options.value("repeats"), "repeats", 1)] {
          return timed_compaction(z, tiles, temperature, resolve_device(device), repeats);
        },
        [](Napi::Env env, const TimedLoss& timed) {
          Napi::Object result = Napi::Object::New(env);
          result["loss"] = timed.loss;
          result["gradient"] = to_float32_array(env, timed.gradient);
          Napi::Array seconds = Napi::Array::New(env);
          for (const double value : timed.seconds) seconds.Set(seconds.Length(), value);
          result["seconds"] = seconds;
          result["allocatedPeak"] = static_cast<double>(timed.allocated_peak);
          return result;
        });
  });
}

}  // namespace

void export_losses(Napi::Env env, Napi::Object exports) {
  Napi::Object losses = Napi::Object::New(env);
  losses["compaction"] = Napi::Function::New(env, compaction, "compaction");
  exports["losses"] = losses;
}

}  // namespace stainfold::addon
