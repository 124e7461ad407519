// A float32 as the sum of two float16, for products on tensor cores: a b = a_high b_high + a_high b_low +
// a_low b_high, and a_low b_low is left out.
//
// float16 has 11 significant bits, so that either half is rounded by at most 2^-11 of itself and x by 2^-22;
// a_low b_low is at most 2^-22 of a b. What is multiplied here is bounded (unit rows, weights of pairs), and
// a power of two brings it to where float16 has all of its bits: bfloat16 would have the range, which is of
// no use, and 8 bits, TF32 the same 11 bits at half the speed.
#pragma once

#include <cstdint>
#include <cstring>

#include "ops/compaction_math.h"

#ifdef __CUDACC__
#include <cuda_fp16.h>
#endif

namespace stainfold::compaction {

// Rounded to nearest, ties to even.
STAINFOLD_HOST_DEVICE std::uint16_t half_bits(float x) {
#ifdef __CUDACC__
  return __half_as_ushort(__float2half_rn(x));
#else
  std::uint32_t bits;
  std::memcpy(&bits, &x, sizeof bits);
  const auto sign = static_cast<std::uint16_t>(bits >> 16 & 0x8000);
  const std::uint32_t size = bits & 0x7fffffff;
  if (size > 0x7f800000) return sign | 0x7e00;
  if (size >= 0x477ff000) return sign | 0x7c00;  // 65520 and more round to infinity
  if (size < 0x33000000) return sign;            // less than half of the least, 2^-24
  const int exponent = static_cast<int>(size >> 23) - 127;
  const std::uint32_t mantissa = (size & 0x7fffff) | 0x800000;
  const int dropped = exponent < -14 ? -1 - exponent : 13;
  std::uint32_t kept = mantissa >> dropped;
  const std::uint32_t rest = mantissa & ((1u << dropped) - 1), half = 1u << (dropped - 1);
  if (rest > half || (rest == half && (kept & 1))) ++kept;
  // A carry out of the mantissa raises the exponent, as it should.
  return static_cast<std::uint16_t>(
      sign | (exponent < -14 ? kept : kept + (static_cast<std::uint32_t>(exponent + 14) << 10)));
#endif
}

STAINFOLD_HOST_DEVICE float half_value(std::uint16_t bits) {
#ifdef __CUDACC__
  return __half2float(__ushort_as_half(bits));
#else
  const int exponent = bits >> 10 & 31;
  const int mantissa = bits & 0x3ff;
  float size = exponent == 0    ? std::ldexp(static_cast<float>(mantissa), -24)
               : exponent == 31 ? (mantissa ? NAN : INFINITY)
                                : std::ldexp(static_cast<float>(mantissa + 1024), exponent - 25);
  return bits & 0x8000 ? -size : size;
#endif
}

struct Halves {
  std::uint16_t high, low;
};

STAINFOLD_HOST_DEVICE Halves split(float x) {
  const std::uint16_t high = half_bits(x);
  return {high, half_bits(x - half_value(high))};
}

// Units are stored 2^12 times as large: an entry of 2^-15 still has all of its bits, and what is smaller is
// off by 2^-37 at most.
constexpr float unit_scale = 4096.0f;
// Weights of pairs lie in [-2, 2]; 2^14 times as large they stay below 65504.
constexpr float weight_scale = 16384.0f;

}  // namespace stainfold::compaction
