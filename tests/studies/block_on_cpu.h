// Runs one block of a CUDA kernel at a time on the CPU, to the bit.
//
// In:  a kernel whose PTX is replaced by what stands here (block_on_cpu.py). Each of its threads is a
//      thread of the host. Out: what the kernel wrote. A warp waits for all its lanes wherever lanes
//      meet, so a lane that does not come shows as a test that never ends, as it would on a GPU.
//      Nothing is said about time, or about what a GPU may reorder between two barriers.
#pragma once

#include <barrier>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <thread>
#include <vector>

#define __device__
#define __global__
#define __launch_bounds__(...)
#define __shared__ static  // one block at a time

struct dim3 {
  unsigned x, y, z;
};
struct alignas(8) uint2 {
  uint32_t x, y;
};
struct alignas(16) uint4 {
  uint32_t x, y, z, w;
};
struct float2 {
  float x, y;
};
struct __nv_bfloat16 {
  uint16_t bits;
};

inline thread_local dim3 threadIdx, blockIdx;

struct Warp {
  std::barrier<> meet{32};
  uint32_t a[32][4], b[32][2];
  float passed[32];
};
inline std::vector<std::unique_ptr<Warp>> all_warps;
inline std::unique_ptr<std::barrier<>> whole_block;

inline Warp& own_warp() { return *all_warps[threadIdx.x / 32]; }
inline void __syncwarp() { own_warp().meet.arrive_and_wait(); }
inline void __syncthreads() { whole_block->arrive_and_wait(); }

inline float __shfl_xor_sync(unsigned, float x, int other) {
  Warp& warp = own_warp();
  warp.passed[threadIdx.x % 32] = x;
  __syncwarp();
  const float found = warp.passed[(threadIdx.x % 32) ^ other];
  __syncwarp();
  return found;
}

// --- arithmetic; compile with -ffp-contract=off ---------------------------------------------------
template <typename To, typename From>
To same_bits(From x) {
  To y;
  static_assert(sizeof x == sizeof y);
  std::memcpy(&y, &x, sizeof x);
  return y;
}

inline int max(int a, int b) { return a > b ? a : b; }
inline float __fmul_rn(float a, float b) { return a * b; }
inline float __fadd_rn(float a, float b) { return a + b; }
inline float __int2float_rn(int x) { return static_cast<float>(x); }
inline uint32_t __float_as_uint(float x) { return same_bits<uint32_t>(x); }
inline float __uint_as_float(uint32_t x) { return same_bits<float>(x); }
inline float __int_as_float(int x) { return same_bits<float>(x); }

// E4M3 without a sign. Source: OCP 8-bit Floating Point Specification 1.0.
inline float from_e4m3(uint32_t byte) {
  const int exponent = byte >> 3 & 15, mantissa = byte & 7;
  return exponent ? std::ldexp(8.0f + mantissa, exponent - 10) : std::ldexp(float(mantissa), -9);
}

// --- instructions. Source: the PTX manual ---------------------------------------------------------
// prmt.b32: bit 3 of a selector repeats the sign of the byte that it finds.
inline uint32_t prmt(uint32_t low, uint32_t high, uint32_t selectors) {
  const uint64_t bytes = static_cast<uint64_t>(high) << 32 | low;
  uint32_t found = 0;
  for (int i = 0; i < 4; ++i) {
    const uint32_t selector = selectors >> (4 * i) & 15;
    uint32_t byte = bytes >> (8 * (selector & 7)) & 255;
    if (selector & 8) byte = byte & 128 ? 255 : 0;
    found |= byte << (8 * i);
  }
  return found;
}

// mma.m16n8k32, s8. Lane 4r + t holds of A: a[0] row r, places 4t ... 4t + 3; a[1] row r + 8; a[2] and
// a[3] the same in places 16 further; of B column r: b[0], b[1] in the same places; of C: rows r, r,
// r + 8, r + 8, columns 2t, 2t + 1, 2t, 2t + 1.
inline void mma_m16n8k32(int (&sum)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
  Warp& warp = own_warp();
  const int lane = threadIdx.x % 32;
  std::memcpy(warp.a[lane], a, sizeof a);
  std::memcpy(warp.b[lane], b, sizeof b);
  __syncwarp();
  for (int i = 0; i < 4; ++i) {
    const int row = lane / 4 + i / 2 * 8, column = 2 * (lane % 4) + i % 2;
    for (int k = 0; k < 32; ++k) {
      const int t = k % 16 / 4, byte = 8 * (k % 4);
      const uint32_t x = warp.a[row % 8 * 4 + t][row / 8 + k / 16 * 2] >> byte;
      const uint32_t y = warp.b[column * 4 + t][k / 16] >> byte;
      sum[i] += static_cast<int8_t>(x) * static_cast<int8_t>(y);
    }
  }
  __syncwarp();
}

// --- the grid -------------------------------------------------------------------------------------
template <typename Kernel>
void run_grid(dim3 grid, int threads, Kernel kernel) {
  for (int warp = 0; warp < threads / 32; ++warp) all_warps.push_back(std::make_unique<Warp>());
  whole_block = std::make_unique<std::barrier<>>(threads);
  std::vector<std::thread> running;
  for (int thread = 0; thread < threads; ++thread) {
    running.emplace_back([=] {
      threadIdx = {static_cast<unsigned>(thread), 0, 0};
      for (unsigned y = 0; y < grid.y; ++y) {
        for (unsigned x = 0; x < grid.x; ++x) {
          blockIdx = {x, y, 0};
          kernel();
          __syncthreads();
        }
      }
    });
  }
  for (std::thread& each : running) each.join();
}

template <typename T>
std::vector<T> read_file(const char* path) {
  std::FILE* file = std::fopen(path, "rb");
  if (file == nullptr) std::abort();
  std::fseek(file, 0, SEEK_END);
  std::vector<T> values(std::ftell(file) / sizeof(T));
  std::rewind(file);
  if (std::fread(values.data(), sizeof(T), values.size(), file) != values.size()) std::abort();
  std::fclose(file);
  return values;
}
