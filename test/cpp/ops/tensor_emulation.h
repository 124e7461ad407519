// A block of threads with tensor cores on the CPU: gives the words of native/src/ops/cuda/tensor_block.cuh
// their meaning for all 256 threads at once. Slow and strict: it says what a device would not. Memory that a
// copy is on its way to, a race between two barriers, a bank conflict and a read that is not coalesced are
// faults.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "ops/cuda/split_float.h"
#include "ops/cuda/split_tiles.cuh"

namespace stainfold::testing {

// terms[0] + ... as Ampere's tensor cores add, after the measurements of github.com/microsoft/MMA-Sim: every
// term is lined up with the largest and cut off 24 bits below its first, and the sum is cut off to a float32.
// Hopper's keep a bit more.
template <int count>
float cut_off_sum(const double (&terms)[count]) {
  std::uint64_t largest = 0;
  for (const double term : terms) {
    std::uint64_t bits;
    std::memcpy(&bits, &term, 8);
    largest = std::max(largest, bits & ~(std::uint64_t{1} << 63));
  }
  const auto exponent = static_cast<int>(largest >> 52);
  if (largest == 0) return 0;
  double sum = 0;
  if (exponent == 0x7ff) {  // infinite, or no number
    for (const double term : terms) sum += term;
    return static_cast<float>(sum);
  }
  const double unit = std::ldexp(1.0, exponent - 1023 - 24), scale = 1 / unit;
  std::int64_t units = 0;
  for (const double term : terms) units += static_cast<std::int64_t>(term * scale);
  sum = static_cast<double>(units) * unit;
  const auto nearest = static_cast<float>(sum);
  return std::fabs(static_cast<double>(nearest)) > std::fabs(sum) ? std::nextafter(nearest, 0.0f) : nearest;
}

inline const std::vector<float>& half_table() {
  static const std::vector<float> table = [] {
    std::vector<float> values(1 << 16);
    for (std::uint32_t bits = 0; bits < values.size(); ++bits)
      values[bits] = compaction::half_value(static_cast<std::uint16_t>(bits));
    return values;
  }();
  return table;
}

struct EmulatedBlock {
  static constexpr int threads = compaction::split_threads, lanes = 32;

  template <typename T>
  struct PerThread {
    std::vector<T> values = std::vector<T>(threads);
    T& operator[](int thread) { return values[static_cast<std::size_t>(thread)]; }
  };

  std::string fault;  // the first one; empty if all is well

  explicit EmulatedBlock(std::uint32_t shared_bytes = compaction::split_shared_bytes)
      : shared_(shared_bytes, 0xff), words_(shared_bytes / 4) {}

  template <typename Work>
  void each(Work work) {
    for (int thread = 0; thread < threads; ++thread) work(thread);
  }

  void sync() { ++epoch_; }

  void copy(int thread, std::uint32_t to, const void* from) {
    if (!in_range(to, 16)) return;
    for (std::uint32_t word = to / 4; word < to / 4 + 4; ++word) {
      write(word, thread);
      words_[word].on_its_way = true;
    }
    std::memset(&shared_[to], 0xff, 16);
    begun_.push_back({thread, to, static_cast<const unsigned char*>(from)});
  }

  void commit() {
    check_copies();
    groups_.push_back(std::move(begun_));
    begun_.clear();
  }

  template <int pending>
  void wait() {
    while (groups_.size() > pending) {
      for (const Copy& copy : groups_.front()) {
        std::memcpy(&shared_[copy.to], copy.from, 16);
        for (std::uint32_t word = copy.to / 4; word < copy.to / 4 + 4; ++word) {
          words_[word].on_its_way = false;
          words_[word].writer = copy.thread;
          words_[word].written = epoch_;
        }
      }
      groups_.pop_front();
    }
  }

  template <bool transposed, typename Address, typename Into>
  void load_matrices(Address address_of, Into into) {
    for (int warp = 0; warp < threads; warp += lanes) {
      std::array<std::uint16_t[8], lanes> rows;
      for (int lane = 0; lane < lanes; ++lane) {
        const std::uint32_t from = address_of(warp + lane);
        if (from % 16 != 0) fail("ldmatrix wants rows on 16 bytes");
        if (!in_range(from, 16)) return;
        for (std::uint32_t word = from / 4; word < from / 4 + 4; ++word) read(word, warp + lane);
        std::memcpy(rows[lane], &shared_[from], 16);
        for (int other = lane / 8 * 8; other < lane; ++other) {
          if (address_of(warp + other) % 128 == from % 128) fail("bank conflict in ldmatrix");
        }
      }
      for (int lane = 0; lane < lanes; ++lane) {
        std::uint32_t(&r)[4] = into(warp + lane);
        for (int matrix = 0; matrix < 4; ++matrix) {
          const auto element = [&](int i) {
            const int row = lane / 4, column = lane % 4 * 2 + i;
            return transposed ? rows[matrix * 8 + column][row] : rows[matrix * 8 + row][column];
          };
          r[matrix] = element(0) | static_cast<std::uint32_t>(element(1)) << 16;
        }
      }
    }
  }

  template <bool first, typename Sum, typename Left, typename Right>
  void multiply(Sum sum_of, Left left_of, Right right_of) {
    const std::vector<float>& half = half_table();
    for (int warp = 0; warp < threads; warp += lanes) {
      double a[16][16], b[8][16];
      for (int lane = 0; lane < lanes; ++lane) {
        const int g = lane / 4, t = lane % 4;
        const std::uint32_t(&left)[4] = left_of(warp + lane);
        const std::uint32_t* const right = right_of(warp + lane);
        for (int i = 0; i < 2; ++i) {
          for (int q = 0; q < 4; ++q)
            a[g + q % 2 * 8][2 * t + i + q / 2 * 8] = half[left[q] >> (16 * i) & 0xffff];
          for (int q = 0; q < 2; ++q) b[g][2 * t + i + q * 8] = half[right[q] >> (16 * i) & 0xffff];
        }
      }
      for (int lane = 0; lane < lanes; ++lane) {
        float(&sum)[4] = sum_of(warp + lane);
        for (int q = 0; q < 4; ++q) {
          const double* const row = a[lane / 4 + q / 2 * 8];
          const double* const column = b[lane % 4 * 2 + q % 2];
          if (first) sum[q] = 0;
          for (int k = 0; k < 16; k += 8) {  // Ampere's take 8 columns at a time
            double terms[9];
            for (int i = 0; i < 8; ++i) terms[i] = row[k + i] * column[k + i];
            terms[8] = sum[q];
            sum[q] = cut_off_sum(terms);
          }
        }
      }
    }
  }

  template <typename Value, typename Combine>
  void butterfly(Value value_of, int mask, Combine combine) {
    for (int warp = 0; warp < threads; warp += lanes) {
      std::array<float, lanes> before;
      for (int lane = 0; lane < lanes; ++lane) before[lane] = value_of(warp + lane);
      for (int lane = 0; lane < lanes; ++lane)
        value_of(warp + lane) = combine(before[lane], before[lane ^ mask]);
    }
  }

  void store(int thread, std::uint32_t at, float value) {
    if (!in_range(at, 4)) return;
    write(at / 4, thread);
    std::memcpy(&shared_[at], &value, 4);
  }

  float load(int thread, std::uint32_t at) {
    float value = NAN;
    if (!in_range(at, 4)) return value;
    read(at / 4, thread);
    std::memcpy(&value, &shared_[at], 4);
    return value;
  }

 private:
  static constexpr int nobody = -1, several = -2;

  struct Word {
    int writer = nobody, reader = nobody;
    std::int64_t written = -1, read = -1;  // in which epoch: barriers part epochs
    bool on_its_way = false;
  };

  struct Copy {
    int thread;
    std::uint32_t to;
    const unsigned char* from;
  };

  void fail(const char* what) {
    if (fault.empty()) fault = what;
  }

  bool in_range(std::uint32_t at, std::uint32_t bytes) {
    if (at % 4 == 0 && at + bytes <= shared_.size()) return true;
    fail("outside of shared memory");
    return false;
  }

  void read(std::uint32_t at, int thread) {
    Word& word = words_[at];
    if (word.on_its_way) fail("read while a copy is on its way");
    if (word.writer == nobody) fail("read before anything was written");
    if (word.written == epoch_ && word.writer != thread) fail("read without a barrier after the write");
    if (word.read != epoch_) word.reader = thread;
    if (word.reader != thread) word.reader = several;
    word.read = epoch_;
  }

  void write(std::uint32_t at, int thread) {
    Word& word = words_[at];
    if (word.on_its_way) fail("written while a copy is on its way");
    if (word.written == epoch_ && word.writer != thread) fail("written by two threads without a barrier");
    if (word.read == epoch_ && word.reader != thread) fail("written without a barrier after the read");
    word.writer = thread;
    word.written = epoch_;
  }

  // Of the copies of one instruction, eight neighbouring threads': 128 bytes that follow one another, to
  // different banks.
  void check_copies() {
    std::vector<std::vector<Copy>> of(threads);
    for (const Copy& copy : begun_) of[copy.thread].push_back(copy);
    for (int thread = 0; thread < threads; ++thread) {
      for (std::size_t i = 0; i < of[thread].size(); ++i) {
        for (int other = thread / 8 * 8; other < thread; ++other) {
          if (of[other].size() != of[thread].size()) return fail("some threads copy less than others");
          if (of[thread][i].from - of[other][i].from != 16 * (thread - other))
            fail("a copy is not coalesced");
          if (of[thread][i].to % 128 == of[other][i].to % 128) fail("bank conflict in a copy");
        }
      }
    }
  }

  std::vector<unsigned char> shared_;
  std::vector<Word> words_;
  std::vector<Copy> begun_;
  std::deque<std::vector<Copy>> groups_;
  std::int64_t epoch_ = 0;
};

// Runs program(block, index) for `count` blocks, on a few threads; -> the first fault, empty if all went
// well.
template <typename Program>
std::string emulate_blocks(std::int64_t count, Program program) {
  std::atomic<std::int64_t> next = 0;
  std::mutex mutex;
  std::string fault;
  std::vector<std::thread> team;
  for (unsigned i = 0; i < std::min(4u, std::max(1u, std::thread::hardware_concurrency())); ++i) {
    team.emplace_back([&] {
      for (std::int64_t index = next++; index < count; index = next++) {
        EmulatedBlock block;
        program(block, index);
        const std::lock_guard<std::mutex> hold(mutex);
        if (fault.empty()) fault = block.fault;
      }
    });
  }
  for (std::thread& member : team) member.join();
  return fault;
}

}  // namespace stainfold::testing
