#include "stain/random.h"

#include <ATen/CPUGeneratorImpl.h>

namespace stainfold {
namespace {

// Steele, Lea & Flood 2014, "Fast splittable pseudorandom number generators": the finaliser of SplitMix64.
std::uint64_t splitmix64(std::uint64_t state) {
  state += 0x9e3779b97f4a7c15ULL;
  state = (state ^ (state >> 30)) * 0xbf58476d1ce4e5b9ULL;
  state = (state ^ (state >> 27)) * 0x94d049bb133111ebULL;
  return state ^ (state >> 31);
}

}  // namespace

std::uint64_t mix(std::uint64_t seed, std::uint64_t stream) { return splitmix64(splitmix64(seed) ^ stream); }

at::Generator seeded_generator(std::uint64_t seed, std::uint64_t stream) {
  return at::make_generator<at::CPUGeneratorImpl>(mix(seed, stream));
}

}  // namespace stainfold
