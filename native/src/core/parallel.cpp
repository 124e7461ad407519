#include "core/parallel.h"

#include <ATen/Parallel.h>
#include <ATen/TensorIterator.h>
#include <ATen/ops/empty.h>

#include <algorithm>
#include <atomic>

#include "core/interrupt.h"

namespace stainfold {

void in_parallel(std::int64_t count, c10::function_ref<void(std::int64_t)> work) {
  check_interrupt();
  const std::int64_t threads = std::min<std::int64_t>(count, at::get_num_threads());
  if (threads <= 1 || at::in_parallel_region()) {
    for (std::int64_t i = 0; i < count; ++i) work(i);
    return;
  }
  std::atomic<std::int64_t> next{0};
  // TensorIterator's loop is compiled into LibTorch, and so are its threads: one element is one thread's
  // share.
  at::Tensor seats = at::empty({threads}, at::kByte);
  at::TensorIterator::borrowing_nullary_op(seats).for_each(
      [&](char**, const std::int64_t*, std::int64_t, std::int64_t) {
        for (std::int64_t i = next++; i < count; i = next++) work(i);
      },
      /*grain_size=*/1);
}

}  // namespace stainfold
