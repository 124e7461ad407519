// One block of 256 threads on a device with tensor cores (sm_80 and newer): what the programs of
// split_tiles.cuh, tensor_forward.cuh and tensor_backward.cuh are written in. A test gives the same words
// another meaning and runs the programs on the CPU.
//
// Work between two collectives is a lambda that is given its thread; PerThread is a register of each thread.
#pragma once

#include <cstdint>

namespace stainfold::compaction {

struct TensorBlock {
  template <typename T>
  struct PerThread {
    T value;
    __device__ __forceinline__ T& operator[](int) { return value; }
  };

  unsigned char* shared;  // dynamic, aligned to 128 bytes

  template <typename Work>
  __device__ __forceinline__ void each(Work work) {
    work(static_cast<int>(threadIdx.x));
  }

  __device__ __forceinline__ void sync() { __syncthreads(); }

  // 16 bytes of global memory to shared memory, under way until the wait for its group.
  __device__ __forceinline__ void copy(int, std::uint32_t to, const void* from) {
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"(address(to)), "l"(from));
  }
  __device__ __forceinline__ void commit() { asm volatile("cp.async.commit_group;" ::: "memory"); }
  // Until no more than `pending` groups of this thread are under way.
  template <int pending>
  __device__ __forceinline__ void wait() {
    asm volatile("cp.async.wait_group %0;" ::"n"(pending) : "memory");
  }

  // Four matrices of 8 x 8 float16: lane l names row l % 8 of matrix l / 8, and gets of every matrix two
  // neighbours of row l / 4, or of column l / 4 if transposed.
  template <bool transposed, typename Address, typename Into>
  __device__ __forceinline__ void load_matrices(Address address_of, Into into) {
    const int thread = static_cast<int>(threadIdx.x);
    const std::uint32_t from = address(address_of(thread));
    std::uint32_t(&r)[4] = into(thread);
    if constexpr (transposed) {
      asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
                   : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
                   : "r"(from)
                   : "memory");
    } else {
      asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
                   : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
                   : "r"(from)
                   : "memory");
    }
  }

  // sum += left right of 16 x 16 by 16 x 8 float16, in float32; `first`: sum = left right.
  template <bool first, typename Sum, typename Left, typename Right>
  __device__ __forceinline__ void multiply(Sum sum_of, Left left_of, Right right_of) {
    const int thread = static_cast<int>(threadIdx.x);
    float(&sum)[4] = sum_of(thread);
    const std::uint32_t(&left)[4] = left_of(thread);
    const std::uint32_t* const right = right_of(thread);
    if constexpr (first) {
      asm("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
          "{%10, %10, %10, %10};"
          : "=f"(sum[0]), "=f"(sum[1]), "=f"(sum[2]), "=f"(sum[3])
          : "r"(left[0]), "r"(left[1]), "r"(left[2]), "r"(left[3]), "r"(right[0]), "r"(right[1]), "f"(0.0f));
    } else {
      asm("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
          "{%0, %1, %2, %3};"
          : "+f"(sum[0]), "+f"(sum[1]), "+f"(sum[2]), "+f"(sum[3])
          : "r"(left[0]), "r"(left[1]), "r"(left[2]), "r"(left[3]), "r"(right[0]), "r"(right[1]));
    }
  }

  // value = combine(value, that of the lane whose number differs by the mask's bit).
  template <typename Value, typename Combine>
  __device__ __forceinline__ void butterfly(Value value_of, int mask, Combine combine) {
    float& value = value_of(static_cast<int>(threadIdx.x));
    value = combine(value, __shfl_xor_sync(0xffffffffu, value, mask));
  }

  __device__ __forceinline__ void store(int, std::uint32_t at, float value) {
    *reinterpret_cast<float*>(shared + at) = value;
  }
  __device__ __forceinline__ float load(int, std::uint32_t at) {
    return *reinterpret_cast<const float*>(shared + at);
  }

 private:
  __device__ __forceinline__ std::uint32_t address(std::uint32_t offset) const {
    return static_cast<std::uint32_t>(__cvta_generic_to_shared(shared)) + offset;
  }
};

}  // namespace stainfold::compaction
