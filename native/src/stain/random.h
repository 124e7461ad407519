// Seeds that depend on what is drawn and never on when: no global generator.
#pragma once

#include <ATen/core/Generator.h>

#include <cstdint>

namespace stainfold {

// Two words to one, each bit of the result depending on all of theirs.
std::uint64_t mix(std::uint64_t seed, std::uint64_t stream);

// A generator on the CPU that starts from mix(seed, stream).
at::Generator seeded_generator(std::uint64_t seed, std::uint64_t stream);

}  // namespace stainfold
