// Counter-based random numbers in integer arithmetic: the same on every platform, and a value can be asked
// for at any place without drawing those before it.
#pragma once

#include <cmath>
#include <cstdint>

namespace stainfold::phantom {

using Key = std::uint64_t;

// The finaliser of SplitMix64 (Steele, Lea and Flood 2014).
constexpr std::uint64_t scramble(std::uint64_t x) {
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9ULL;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBULL;
  return x ^ (x >> 31);
}

constexpr std::uint64_t golden_ratio = 0x9E3779B97F4A7C15ULL;

// An independent key for part `a`, or part (a, b), of what `key` stands for.
constexpr Key derive(Key key, std::int64_t a, std::int64_t b = 0) {
  const Key first = scramble(key + golden_ratio * (static_cast<std::uint64_t>(a) + 1));
  return scramble(first ^ (static_cast<std::uint64_t>(b) * 0xD1342543DE82EF95ULL + golden_ratio));
}

// [0, 1) from the upper 24 bits, each exact in float.
constexpr float unit(std::uint64_t bits) { return static_cast<float>(bits >> 40) * 0x1p-24F; }

class Random {
 public:
  explicit Random(Key key) : state_(key) {}

  float uniform() { return unit(scramble(state_ += golden_ratio)); }
  float between(float low, float high) { return low + (high - low) * uniform(); }
  bool chance(float probability) { return uniform() < probability; }
  // Sum of four uniforms, deviation 1: bell-shaped, never further than 3.5 from 0, and free of libm.
  float bell() {
    float sum =
        -2;  // in a loop: within one expression the compiler may choose the order, and so the rounding
    for (int i = 0; i < 4; ++i) sum += uniform();
    return sum * 1.7320508F;
  }
  float angle() { return between(0, 6.2831853F); }

 private:
  std::uint64_t state_;
};

}  // namespace stainfold::phantom
