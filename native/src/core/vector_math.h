// exp, log and powers in float32, without branches and calls, so that loops of simd/ folders vectorise and
// kernels compute what they do.
// Within 2e-7 of the true value, relatively (log: of 1 at least); the polynomials are Cephes' (Moshier).
#pragma once

#ifdef __CUDACC__
#include <cstring>
#else
#include <bit>
#endif
#include <cstdint>

#include "core/instruction_sets.h"

namespace stainfold {

// std::bit_cast, which .cu files, being C++17, lack.
template <typename To, typename From>
STAINFOLD_INLINE To same_bits_as(From from) {
#ifdef __CUDACC__
  To to;
  std::memcpy(&to, &from, sizeof(To));
  return to;
#else
  return std::bit_cast<To>(from);
#endif
}

// Within [1e-38,1e38]; what leaves it stays at its ends. NaN stays NaN.
STAINFOLD_INLINE float vector_exp(float x) {
  constexpr float kRound = 12582912.0F;  // 1.5 * 2^23: adding it leaves a whole number
  x = x < -87.0F ? -87.0F : x;
  x = x > 87.0F ? 87.0F : x;
  const float power = (x * 1.44269504088896341F + kRound) - kRound;
  const float rest = (x - power * 0.693359375F) + power * 2.12194440e-4F;
  float sum = 1.9875691500e-4F;
  sum = sum * rest + 1.3981999507e-3F;
  sum = sum * rest + 8.3334519073e-3F;
  sum = sum * rest + 4.1665795894e-2F;
  sum = sum * rest + 1.6666665459e-1F;
  sum = sum * rest + 5.0000001201e-1F;
  sum = (sum * rest * rest + rest) + 1.0F;
  // The shift of a whole number that lies in the low bits of its float: no conversion, so NaN harms nothing.
  const auto bits = same_bits_as<std::uint32_t>(power + kRound);
  return sum * same_bits_as<float>((bits - 0x4b400000U + 127U) << 23);
}

// Of a normal number above 0.
STAINFOLD_INLINE float vector_log(float x) {
  const auto bits = same_bits_as<std::int32_t>(x);
  // The mantissa in [sqrt(1/2), sqrt(2)), the exponent that goes with it.
  const std::int32_t exponent = (bits - 0x3f3504f3) >> 23;
  const float rest = same_bits_as<float>(bits - exponent * (1 << 23)) - 1.0F;
  const float square = rest * rest;
  float sum = 7.0376836292e-2F;
  sum = sum * rest - 1.1514610310e-1F;
  sum = sum * rest + 1.1676998740e-1F;
  sum = sum * rest - 1.2420140846e-1F;
  sum = sum * rest + 1.4249322787e-1F;
  sum = sum * rest - 1.6668057665e-1F;
  sum = sum * rest + 2.0000714765e-1F;
  sum = sum * rest - 2.4999993993e-1F;
  sum = sum * rest + 3.3333331174e-1F;
  sum = sum * rest * square;
  const auto power = static_cast<float>(exponent);
  sum = sum - power * 2.12194440e-4F - 0.5F * square;
  return rest + sum + power * 0.693359375F;
}

// Of a normal number above 0.
STAINFOLD_INLINE float vector_power(float x, float exponent) { return vector_exp(exponent * vector_log(x)); }

}  // namespace stainfold
