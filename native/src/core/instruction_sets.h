// Loops of folders named simd/ are plain C++ over raw pointers that compilers vectorise: compiled once for
// each of these instruction sets, the widest that the machine has chosen when the library is loaded.
#pragma once

// On the definition of a function; nothing where the compiler cannot choose among these at load time. What it
// calls must be inlined into it to be compiled along. None under a sanitizer: the function that chooses runs
// while the program is being linked, before the sanitizer's memory is there.
#if defined(__x86_64__) && defined(__linux__) && !defined(__clang__) && __GNUC__ >= 12 && \
    !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define STAINFOLD_CLONES __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define STAINFOLD_CLONES
#endif

// Under nvcc, where the same arithmetic serves kernels, for host and device.
#if defined(__CUDACC__)
#define STAINFOLD_INLINE __host__ __device__ __forceinline__
#elif defined(__GNUC__)
#define STAINFOLD_INLINE inline __attribute__((always_inline))
#else
#define STAINFOLD_INLINE inline
#endif
