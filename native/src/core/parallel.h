// Work for LibTorch's own threads. at::parallel_for is a template in a header: in a file that is not compiled
// with, and linked to, the very OpenMP runtime that LibTorch brings, it runs serially without a word.
#pragma once

#include <c10/util/FunctionRef.h>

#include <cstdint>

namespace stainfold {

// work(i) for every i in [0,count), each once, on at::get_num_threads() threads at most, the caller among
// them; serially within a parallel region. Threads take the next i as they come free: a core that is busy
// with something else holds nobody up. What work(i) writes must not depend on the thread or the order.
// Rethrows what work throws. A place of check_interrupt().
void in_parallel(std::int64_t count, c10::function_ref<void(std::int64_t)> work);

}  // namespace stainfold
