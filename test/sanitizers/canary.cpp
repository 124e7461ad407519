// Does on purpose what the sanitizers are there to find; scripts/sanitize.mjs expects each to be found. Ends
// with 0 where nothing was.
#include <climits>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <thread>

namespace {

volatile int one = 1;  // unknown to the compiler

int heap_overflow() {
  int* const numbers = new int[static_cast<unsigned>(8 * one)];
  const int beyond = numbers[8 * one];
  delete[] numbers;
  return beyond;
}

int use_after_free() {
  int* const number = new int(one);
  delete number;
  return *number;
}

int signed_overflow() { return INT_MAX - 1 + 2 * one; }

int leak() {
  void* volatile lost = std::malloc(static_cast<std::size_t>(100 * one));
  const int seen = lost != nullptr;
  lost = nullptr;
  return seen;
}

int data_race() {
  int shared = 0;
  std::thread other([&shared] { shared += one; });
  shared += one;
  other.join();
  return shared;
}

}  // namespace

int main(int argc, char** argv) {
  const struct {
    const char* name;
    int (*plant)();
  } planted[] = {{"heap-overflow", heap_overflow},
                 {"use-after-free", use_after_free},
                 {"signed-overflow", signed_overflow},
                 {"leak", leak},
                 {"data-race", data_race}};
  for (const auto& [name, plant] : planted) {
    if (argc == 2 && std::strcmp(argv[1], name) == 0) {
      std::printf("%s: %d, and nothing found\n", name, plant());
      return 0;
    }
  }
  return 2;
}
