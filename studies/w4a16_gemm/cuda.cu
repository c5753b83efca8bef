// y = x W^T with W in int4 on a Hopper GPU: two kernels for few tokens and one for more.
//
// In:  x [M, K] f16; units, lane_scales and blocks: W in two orders, as prepare.py lays them out; parked
//      and met: room for partial sums, and zeros. Out: y [M, N] f16. Weights are q - 8 with q in
//      0 ... 15, times one scale for each row and 128 columns. N is a multiple of 128, K of 1024.
// Why: up to 16 tokens the product costs what the weights' bytes cost, so those kernels keep loads of
//      weights under way while they multiply what has come, and no block waits for another. Six
//      loads a lane are ahead; with all of them asked for at once it took a fifth longer. Up to eight
//      tokens, in blocks of 32 rows, a warp's part of x fits into its registers: then nobody waits for
//      anybody before the sums. With more tokens the tensor cores count, which the last kernel feeds
//      with weights from registers and with x from shared memory.
//
// Fragments. In `mma.m16n8k16` lane 4g + t holds, of a tile of W, rows g and g + 8 in columns
// 2t, 2t+1, 2t+8, 2t+9: eight weights, one 32-bit word. Which real column stands in which place is
// free, as long as x agrees: for few tokens lane t's columns of two tiles are 8 neighbours, 16 bytes
// of x. The wide product takes x as it lies, so its weights have an order of their own.

#include <cuda_fp16.h>
#include <cuda_runtime.h>
#include <tvm/ffi/extra/c_env_api.h>
#include <tvm/ffi/extra/cuda/device_guard.h>
#include <tvm/ffi/tvm_ffi.h>

#include <cstdint>
#include <initializer_list>

namespace {

using tvm::ffi::TensorView;

constexpr int kTokens = 8;         // tokens of one mma
constexpr int kUnitRows = 32;      // a warp's rows with few tokens: two tiles
constexpr int kUnitColumns = 256;  // and its columns: two groups that share a scale each
constexpr int kChunks = 4;         // chunks of 64 columns in a unit, four tiles each
constexpr int kLoads = 2 * kChunks;  // 16-byte loads of one lane for a unit
// Rows of x lie 64 bytes further apart in shared memory than they are long: neighbours then start
// 16 banks apart, and the eight lanes of one phase of a 16-byte read touch every bank once.
constexpr int kSkew = 64;

// A block of weights for more tokens: 128 rows x 128 columns and their scales, one run of bytes.
//   weights [tile of 16 rows 8][chunk of 64 columns 2][lane 32][tile of 16 columns 4], 32 bits each
//   scales  [tile of 16 rows 8][g 8][row g, row g + 8]
constexpr int kBlockRows = 128;
constexpr int kBlockColumns = 128;
constexpr int kBlockBytes = kBlockRows * kBlockColumns / 2 + 2 * kBlockRows;
// Blocks that share sums wait for one another, so all of them must fit on the device at once.
// Source: multiprocessors of an H200.
constexpr int kMostBlocks = 132;

struct Problem {
  const __half* x;
  const uint4* units;
  const uint4* lane_scales;
  const uint8_t* blocks;
  float* parked;  // sums of parts of the columns
  int* met;       // how many parts came and went; 0 between calls
  __half* y;
  int tokens, rows, columns;
};

// --- pieces of PTX -------------------------------------------------------------------------------
// Weights are read once: they pass by L1.
__device__ uint4 load_once(const uint4* from) {
  uint4 v;
  asm volatile("ld.global.nc.L1::no_allocate.v4.u32 {%0, %1, %2, %3}, [%4];"
               : "=r"(v.x), "=r"(v.y), "=r"(v.z), "=r"(v.w)
               : "l"(from));
  return v;
}

// The compiler leaves these where they stand in the source, before what needs no load.
__device__ uint4 load_in_order(const uint4* from) {
  uint4 v;
  asm volatile("ld.relaxed.gpu.global.L1::no_allocate.v4.u32 {%0, %1, %2, %3}, [%4];"
               : "=r"(v.x), "=r"(v.y), "=r"(v.z), "=r"(v.w)
               : "l"(from));
  return v;
}

// Zeros unless wanted; never a branch.
__device__ uint4 load_if(bool wanted, const void* from) {
  uint4 v;
  asm volatile(
      "{\n .reg .pred p;\n setp.ne.b32 p, %5, 0;\n mov.b32 %0, 0;\n mov.b32 %1, 0;\n mov.b32 %2, 0;\n"
      " mov.b32 %3, 0;\n @p ld.global.nc.v4.u32 {%0, %1, %2, %3}, [%4];\n}"
      : "=&r"(v.x), "=&r"(v.y), "=&r"(v.z), "=&r"(v.w)
      : "l"(from), "r"(static_cast<int>(wanted)));
  return v;
}

__device__ uint32_t shared_address(const void* p) {
  return static_cast<uint32_t>(__cvta_generic_to_shared(p));
}

__device__ void init_barrier(uint64_t* barrier, int count) {
  asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(shared_address(barrier)), "r"(count));
}

__device__ void expect_bytes(uint64_t* barrier, int bytes) {
  asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(shared_address(barrier)),
               "r"(bytes)
               : "memory");
}

__device__ void wait(uint64_t* barrier, int phase) {
  asm volatile(
      "{\n .reg .pred done;\n"
      "again: mbarrier.try_wait.parity.shared::cta.b64 done, [%0], %1;\n"
      " @!done bra again;\n}" ::"r"(shared_address(barrier)),
      "r"(phase)
      : "memory");
}

// The copy engine brings `bytes` (a multiple of 16) to shared memory and tells the barrier.
__device__ void copy_in(void* to, const void* from, int bytes, uint64_t* barrier) {
  asm volatile(
      "cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1], %2, [%3];" ::"r"(
          shared_address(to)),
      "l"(from), "r"(bytes), "r"(shared_address(barrier))
      : "memory");
}

__device__ void multiply(float (&d)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1) {
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
      "{%0, %1, %2, %3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

// 16 bytes go straight to shared memory; cp.async.wait_group waits for them.
__device__ void copy_piece(void* to, const void* from) {
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"(shared_address(to)), "l"(from));
}

// (word & mask) | 0x64006400: a nibble q in the lowest mantissa bits of 1024 is 1024 + q, exactly.
template <uint32_t kMask>
__device__ uint32_t pick(uint32_t word) {
  uint32_t found;
  asm("lop3.b32 %0, %1, %2, 0x64006400, 0xea;" : "=r"(found) : "r"(word), "n"(kMask));
  return found;
}

__device__ uint32_t bits(__half2 h) { return *reinterpret_cast<uint32_t*>(&h); }
__device__ __half2 halves(uint32_t u) { return *reinterpret_cast<__half2*>(&u); }

// Eight weights q - 8 as four pairs, without their scale: exact in f16. Nibble 4 higher counts 16
// times as much: (1024 + 16 q) / 16 - 72 = q - 8.
__device__ void unpack(uint32_t word, uint32_t (&a)[4]) {
  const __half2 low = __half2half2(__ushort_as_half(0x6408));      // 1032
  const __half2 sixteenth = __half2half2(__ushort_as_half(0x2c00));  // 1 / 16
  const __half2 high = __half2half2(__ushort_as_half(0xd480));     // -72
  const uint32_t upper = word >> 8;
  a[0] = bits(__hsub2(halves(pick<0x000f000f>(word)), low));
  a[1] = bits(__hfma2(halves(pick<0x00f000f0>(word)), sixteenth, high));
  a[2] = bits(__hsub2(halves(pick<0x000f000f>(upper)), low));
  a[3] = bits(__hfma2(halves(pick<0x00f000f0>(upper)), sixteenth, high));
}

__device__ uint32_t word_of(const uint4& v, int index) {
  return index == 0 ? v.x : index == 1 ? v.y : index == 2 ? v.z : v.w;
}

// --- few tokens ----------------------------------------------------------------------------------
constexpr int kFewWarps = 16;
// Sums of the four lanes of a row, two tokens apart, then lie in different banks.
constexpr int kSumSkew = 4;

// One block makes 32 rows of y for up to kPad tokens (2, 4 or 8); each of its warps multiplies 256 of
// K = 4096 columns and leaves its sums.
template <int kPad>
__global__ void __launch_bounds__(32 * kFewWarps, 1) fewest_tokens(const Problem p) {
  constexpr int kPairs = kPad / 2, kAhead = 3;  // chunks of weights under way
  __shared__ float2 sums[kFewWarps][kUnitRows][kPairs];
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  const int g = lane / 4, t = lane % 4;
  // Token g's columns: without them nothing can begin.
  uint4 x[kUnitColumns / 32];
#pragma unroll
  for (int i = 0; i < kUnitColumns / 32; ++i) {
    const __half* from = p.x + static_cast<int64_t>(g) * p.columns + warp * kUnitColumns + 32 * i + 8 * t;
    x[i] = load_if(g < p.tokens, from);
  }
  const int64_t unit = static_cast<int64_t>(blockIdx.x) * kFewWarps + warp;
  const uint4 scale = load_in_order(p.lane_scales + unit * 8 + g);
  const uint4* from = p.units + unit * (kLoads * 32) + lane;
  uint4 w[kAhead][2];
#pragma unroll
  for (int chunk = 0; chunk < kAhead; ++chunk) {
    w[chunk][0] = load_in_order(from + 64 * chunk);
    w[chunk][1] = load_in_order(from + 64 * chunk + 32);
  }
  // What products begin with: -8 times the sum of x over a group of columns, for tokens 2t and 2t + 1,
  // where rows g count in 2^-24 and rows g + 8 in 2^-20 (see below).
  constexpr uint32_t kOnes[4] = {0x3c003c00, 0x3c003c00, 0x3c003c00, 0x3c003c00};
  float offset[2][4];
#pragma unroll
  for (int group = 0; group < 2; ++group) {
    float total[4] = {};
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      multiply(total, kOnes, x[4 * group + i].x, x[4 * group + i].y);
      multiply(total, kOnes, x[4 * group + i].z, x[4 * group + i].w);
    }
#pragma unroll
    for (int i = 0; i < 4; ++i) offset[group][i] = total[i % 2] * (i < 2 ? -0x1p-21f : -0x1p-17f);
  }
  float sum[2][4], part[2][2][4];
#pragma unroll
  for (int chunk = 0; chunk < kChunks; ++chunk) {
    const int group = chunk / 2;
#pragma unroll
    for (int i = 0; i < 8 && chunk % 2 == 0; ++i) {
      part[i / 4][0][i % 4] = offset[group][i % 4];
      part[i / 4][1][i % 4] = 0.0f;
    }
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const uint4 b = x[2 * chunk + half];
#pragma unroll
      for (int k = 0; k < 2; ++k) {
#pragma unroll
        for (int r = 0; r < 2; ++r) {
          const uint32_t word = word_of(w[chunk % kAhead][r], 2 * half + k), upper = word >> 8;
          // A nibble in the lowest bits of a half is q * 2^-24, exactly: a subnormal number, which
          // tensor cores multiply like any other. One bit operation for two weights.
          const uint32_t a[4] = {word & 0x000f000f, word & 0x00f000f0, upper & 0x000f000f, upper & 0x00f000f0};
          multiply(part[r][k], a, k == 0 ? b.x : b.z, k == 0 ? b.y : b.w);
        }
      }
    }
    if (chunk + kAhead < kChunks) {
      w[chunk % kAhead][0] = load_in_order(from + 64 * (chunk + kAhead));
      w[chunk % kAhead][1] = load_in_order(from + 64 * (chunk + kAhead) + 32);
    }
#pragma unroll
    for (int r = 0; r < 2 && chunk % 2 == 1; ++r) {
      const float2 s = __half22float2(halves(word_of(scale, 2 * group + r)));
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        const float factor = i < 2 ? s.x * 0x1p24f : s.y * 0x1p20f, raw = part[r][0][i] + part[r][1][i];
        sum[r][i] = group == 0 ? factor * raw : fmaf(factor, raw, sum[r][i]);
      }
    }
  }
  if (t < kPairs) {
#pragma unroll
    for (int r = 0; r < 2; ++r) {
      sums[warp][16 * r + g][t] = {sum[r][0], sum[r][1]};
      sums[warp][16 * r + 8 + g][t] = {sum[r][2], sum[r][3]};
    }
  }
  __syncthreads();
  if (threadIdx.x >= kUnitRows * kPairs) return;
  const int row = threadIdx.x / kPairs, pair = threadIdx.x % kPairs, token = 2 * pair;
  float2 total = sums[0][row][pair];
#pragma unroll
  for (int k = 1; k < kFewWarps; ++k) {
    total.x += sums[k][row][pair].x;
    total.y += sums[k][row][pair].y;
  }
  __half* to = p.y + static_cast<int64_t>(token) * p.rows + blockIdx.x * kUnitRows + row;
  if (token < p.tokens) to[0] = __float2half_rn(total.x);
  if (token + 1 < p.tokens) to[p.rows] = __float2half_rn(total.y);
}

// 8 of 32 columns of token g (lane's 16 bytes) in tile n of tokens.
__device__ uint4 load_x(const uint8_t* x, int n, int pitch, int group, int half) {
  return *reinterpret_cast<const uint4*>(x + n * kTokens * pitch + 2 * (128 * group + 32 * half));
}

// One block makes 32 * kStack rows of y for up to 8 * kTile tokens; its warps share out the columns,
// one unit each (so K = 4096), and add up at the end.
template <int kStack, int kTile>
__global__ void __launch_bounds__(32 * kFewWarps, 1) few_tokens(const Problem p) {
  extern __shared__ __align__(128) uint8_t shared[];
  __shared__ __align__(8) uint64_t arrived;
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  const int g = lane / 4, t = lane % 4;
  constexpr int kRows = kStack * kUnitRows, kSumPitch = kRows + kSumSkew;
  // One chain of products would wait for itself; two tiles of tokens are two chains already.
  constexpr int kChains = kTile == 1 ? 2 : 1;
  const int units = p.columns / kUnitColumns;
  const int pitch = 2 * p.columns + kSkew;
  uint4 w[kStack][kLoads], scale[kStack];
  if (threadIdx.x == 0) {
    init_barrier(&arrived, 1);
    asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
    expect_bytes(&arrived, 2 * p.columns * p.tokens);
    for (int m = 0; m < p.tokens; ++m) {
      copy_in(shared + m * pitch, p.x + static_cast<int64_t>(m) * p.columns, 2 * p.columns, &arrived);
    }
  }
#pragma unroll
  for (int u = 0; u < kStack; ++u) {
    const int64_t unit = (static_cast<int64_t>(blockIdx.x) * kStack + u) * units + warp;
    scale[u] = load_once(p.lane_scales + unit * 8 + g);
#pragma unroll
    for (int i = 0; i < kLoads; ++i) w[u][i] = load_once(p.units + (unit * kLoads + i) * 32 + lane);
  }
  __syncthreads();
  wait(&arrived, 0);

  // -8 times the sum of x over each group of columns, for tokens 2t and 2t + 1: a product with ones,
  // because there are more instructions to spare in the tensor cores than beside them.
  constexpr uint32_t kOnes[4] = {0x3c003c00, 0x3c003c00, 0x3c003c00, 0x3c003c00};
  float offset[kTile][2][2];
  const uint8_t* x = shared + g * pitch + 2 * (warp * kUnitColumns + 8 * t);
  // [warp][token][row]; beside x, so that nobody has to wait until everybody has read x.
  float* sums = reinterpret_cast<float*>(shared + p.tokens * pitch);
  float* place = sums + warp * (kTile * kTokens * kSumPitch);
#pragma unroll
  for (int u = 0; u < kStack; ++u) {
    float sum[kTile][2][4] = {};
#pragma unroll
    for (int group = 0; group < 2; ++group) {
      float part[kTile][2][kChains][4] = {}, total[kTile][4] = {};
#pragma unroll
      for (int half = 0; half < 4; ++half) {
        const int chunk = 2 * group + half / 2;
        uint32_t a[2][2][4];
#pragma unroll
        for (int r = 0; r < 2; ++r) {
#pragma unroll
          for (int k = 0; k < 2; ++k) {
            const uint32_t word = word_of(w[u][2 * chunk + r], 2 * (half % 2) + k), upper = word >> 8;
            // A nibble in the lowest bits of a half is q * 2^-24, exactly: a subnormal number, which
            // tensor cores multiply like any other. One bit operation for two weights.
            a[r][k][0] = word & 0x000f000f;
            a[r][k][1] = word & 0x00f000f0;
            a[r][k][2] = upper & 0x000f000f;
            a[r][k][3] = upper & 0x00f000f0;
          }
        }
#pragma unroll
        for (int n = 0; n < kTile; ++n) {
          uint4 b = {};
          if (n * kTokens + g < p.tokens) b = load_x(x, n, pitch, group, half);
          if (u == 0) {
            multiply(total[n], kOnes, b.x, b.y);
            multiply(total[n], kOnes, b.z, b.w);
          }
#pragma unroll
          for (int k = 0; k < 2; ++k) {
#pragma unroll
            for (int r = 0; r < 2; ++r) {
              multiply(part[n][r][k % kChains], a[r][k], k == 0 ? b.x : b.z, k == 0 ? b.y : b.w);
            }
          }
        }
      }
#pragma unroll
      for (int n = 0; n < kTile && u == 0; ++n) {
        offset[n][group][0] = -8.0f * total[n][0];
        offset[n][group][1] = -8.0f * total[n][1];
      }
#pragma unroll
      for (int r = 0; r < 2; ++r) {
        const float2 s = __half22float2(halves(word_of(scale[u], 2 * group + r)));
#pragma unroll
        for (int n = 0; n < kTile; ++n) {
#pragma unroll
          for (int i = 0; i < 4; ++i) {
            // Rows g count in 2^-24, rows g + 8 in 2^-20.
            const float unit = i < 2 ? 16777216.0f : 1048576.0f;
            const float raw = part[n][r][0][i] + (kChains == 2 ? part[n][r][kChains - 1][i] : 0.0f);
            const float scaled = fmaf(raw, unit, offset[n][group][i % 2]);
            sum[n][r][i] = fmaf(i < 2 ? s.x : s.y, scaled, sum[n][r][i]);
          }
        }
      }
    }
#pragma unroll
    for (int n = 0; n < kTile; ++n) {
#pragma unroll
      for (int r = 0; r < 2; ++r) {
#pragma unroll
        for (int i = 0; i < 4; ++i) {
          const int token = n * kTokens + 2 * t + i % 2, row = u * kUnitRows + 16 * r + 8 * (i / 2) + g;
          if (token < p.tokens) place[token * kSumPitch + row] = sum[n][r][i];
        }
      }
    }
  }
  __syncthreads();
  for (int i = threadIdx.x; i < p.tokens * kRows; i += blockDim.x) {
    float total = 0.0f;
#pragma unroll
    for (int k = 0; k < kFewWarps; ++k) {
      total += sums[(k * kTile * kTokens + i / kRows) * kSumPitch + i % kRows];
    }
    p.y[static_cast<int64_t>(i / kRows) * p.rows + blockIdx.x * kRows + i % kRows] = __float2half_rn(total);
  }
}

// --- more tokens ---------------------------------------------------------------------------------
constexpr int kMoreThreads = 256;   // two groups of four warps, 64 rows each

// Blocks of x and of weights under way; more than 227 KB do not fit.
template <int kWide>
constexpr int kXStages = kWide == 128 ? 6 : 8;
template <int kWide>
constexpr int kWeightStages = kWide == 128 ? 4 : kWide == 64 ? 6 : 8;

__device__ void store(const Problem& p, int token, int row, float4 v) {
  const __half2 both[2] = {__floats2half2_rn(v.x, v.y), __floats2half2_rn(v.z, v.w)};
  *reinterpret_cast<uint2*>(p.y + static_cast<int64_t>(token) * p.rows + row) =
      *reinterpret_cast<const uint2*>(both);
}

__device__ void multiply_wide(float (&d)[16], const uint32_t (&a)[4], uint64_t b) {
  asm volatile(
      "wgmma.mma_async.sync.aligned.m64n32k16.f32.f16.f16 {"
      "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15}, "
      "{%16, %17, %18, %19}, %20, 1, 1, 1, 0;"
      :
        "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3]), "+f"(d[4]), "+f"(d[5]), "+f"(d[6]), "+f"(d[7]),
        "+f"(d[8]), "+f"(d[9]), "+f"(d[10]), "+f"(d[11]), "+f"(d[12]), "+f"(d[13]), "+f"(d[14]), "+f"(d[15])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b));
}

__device__ void multiply_wide(float (&d)[32], const uint32_t (&a)[4], uint64_t b) {
  asm volatile(
      "wgmma.mma_async.sync.aligned.m64n64k16.f32.f16.f16 {"
      "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, "
      "%16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31}, "
      "{%32, %33, %34, %35}, %36, 1, 1, 1, 0;"
      :
        "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3]), "+f"(d[4]), "+f"(d[5]), "+f"(d[6]), "+f"(d[7]),
        "+f"(d[8]), "+f"(d[9]), "+f"(d[10]), "+f"(d[11]), "+f"(d[12]), "+f"(d[13]), "+f"(d[14]), "+f"(d[15]),
        "+f"(d[16]), "+f"(d[17]), "+f"(d[18]), "+f"(d[19]), "+f"(d[20]), "+f"(d[21]), "+f"(d[22]), "+f"(d[23]),
        "+f"(d[24]), "+f"(d[25]), "+f"(d[26]), "+f"(d[27]), "+f"(d[28]), "+f"(d[29]), "+f"(d[30]), "+f"(d[31])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b));
}

__device__ void multiply_wide(float (&d)[64], const uint32_t (&a)[4], uint64_t b) {
  asm volatile(
      "wgmma.mma_async.sync.aligned.m64n128k16.f32.f16.f16 {"
      "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, "
      "%16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31, "
      "%32, %33, %34, %35, %36, %37, %38, %39, %40, %41, %42, %43, %44, %45, %46, %47, "
      "%48, %49, %50, %51, %52, %53, %54, %55, %56, %57, %58, %59, %60, %61, %62, %63}, "
      "{%64, %65, %66, %67}, %68, 1, 1, 1, 0;"
      :
        "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3]), "+f"(d[4]), "+f"(d[5]), "+f"(d[6]), "+f"(d[7]),
        "+f"(d[8]), "+f"(d[9]), "+f"(d[10]), "+f"(d[11]), "+f"(d[12]), "+f"(d[13]), "+f"(d[14]), "+f"(d[15]),
        "+f"(d[16]), "+f"(d[17]), "+f"(d[18]), "+f"(d[19]), "+f"(d[20]), "+f"(d[21]), "+f"(d[22]), "+f"(d[23]),
        "+f"(d[24]), "+f"(d[25]), "+f"(d[26]), "+f"(d[27]), "+f"(d[28]), "+f"(d[29]), "+f"(d[30]), "+f"(d[31]),
        "+f"(d[32]), "+f"(d[33]), "+f"(d[34]), "+f"(d[35]), "+f"(d[36]), "+f"(d[37]), "+f"(d[38]), "+f"(d[39]),
        "+f"(d[40]), "+f"(d[41]), "+f"(d[42]), "+f"(d[43]), "+f"(d[44]), "+f"(d[45]), "+f"(d[46]), "+f"(d[47]),
        "+f"(d[48]), "+f"(d[49]), "+f"(d[50]), "+f"(d[51]), "+f"(d[52]), "+f"(d[53]), "+f"(d[54]), "+f"(d[55]),
        "+f"(d[56]), "+f"(d[57]), "+f"(d[58]), "+f"(d[59]), "+f"(d[60]), "+f"(d[61]), "+f"(d[62]), "+f"(d[63])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b));
}

// A shared-memory tile whose rows are 128 bytes, swizzled, in groups of eight rows.
__device__ uint64_t describe(const void* tile) {
  const uint64_t start = shared_address(tile) >> 4;
  return start | (uint64_t{1} << 16) | (uint64_t{1024 >> 4} << 32) | (uint64_t{1} << 62);
}

// One block makes 128 rows of y for kWide tokens over 1 / kParts of the columns; then the blocks that
// share rows and tokens add up, each its share of the rows.
template <int kWide, int kParts>
__global__ void __launch_bounds__(kMoreThreads, 1) more_tokens(const Problem p) {
  constexpr int kStagesOfX = kXStages<kWide>, kXBytes = kWide * 2 * kBlockColumns;
  constexpr int kStagesOfW = kWeightStages<kWide>;
  extern __shared__ __align__(1024) uint8_t stages[];
  __shared__ __align__(8) uint64_t full[kStagesOfW];
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  const int g = lane / 4, t = lane % 4;
  const int part = blockIdx.z;
  const int blocks = p.columns / kBlockColumns / kParts;  // of columns
  const int first_token = blockIdx.y * kWide;
  const int tokens = min(kWide, p.tokens - first_token);
  const int block_row = blockIdx.x;
  uint8_t* weights = stages + kStagesOfX * kXBytes;

  const uint8_t* w_from =
      p.blocks + (static_cast<int64_t>(block_row) * kParts + part) * blocks * kBlockBytes;
  const auto fetch_weights = [&](int block) {
    if (block < blocks) {
      const int stage = block % kStagesOfW;
      expect_bytes(&full[stage], kBlockBytes);
      copy_in(weights + stage * kBlockBytes, w_from + static_cast<int64_t>(block) * kBlockBytes,
              kBlockBytes, &full[stage]);
    }
  };
  if (threadIdx.x == 0) {
    for (int i = 0; i < kStagesOfW; ++i) init_barrier(&full[i], 1);
    asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
    for (int block = 0; block < 2; ++block) fetch_weights(block);
  }
  // Two tiles of 64 columns for each block, rows of 128 bytes whose 16-byte pieces are swizzled.
  const __half* x_from =
      p.x + static_cast<int64_t>(first_token) * p.columns + part * blocks * kBlockColumns;
  const auto fetch_x = [&](int block) {
    if (block < blocks) {
      uint8_t* stage = stages + block % kStagesOfX * kXBytes;
      for (int i = threadIdx.x; i < tokens * 16; i += kMoreThreads) {
        const int token = i / 16, half = i % 16 / 8, piece = i % 8;
        const __half* from =
            x_from + static_cast<int64_t>(token) * p.columns + block * kBlockColumns + i % 16 * 8;
        copy_piece(stage + half * kWide * 128 + token * 128 + (piece ^ token % 8) * 16, from);
      }
    }
    asm volatile("cp.async.commit_group;");
  };
  for (int block = 0; block < kStagesOfX - 2; ++block) fetch_x(block);
  // What is asked for first comes first: the later weights would keep x waiting.
  if (threadIdx.x == 0) {
    for (int block = 2; block < kStagesOfW - 2; ++block) fetch_weights(block);
  }

  float sum[kWide / 2] = {};
  uint32_t a[2][4][4];
  __syncthreads();
  for (int block = 0; block < blocks; ++block) {
    const int stage = block % kStagesOfW;
    asm volatile("cp.async.wait_group %0;" ::"n"(kStagesOfX - 3));
    wait(&full[stage], block / kStagesOfW % 2);
    asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
    __syncthreads();
    // Everybody has left the block before the last: its places are free.
    if (threadIdx.x == 0) fetch_weights(block + kStagesOfW - 2);
    fetch_x(block + kStagesOfX - 2);
    const uint8_t* own = weights + stage * kBlockBytes;
    const uint32_t both = *reinterpret_cast<const uint32_t*>(own + 8192 + (warp * 8 + g) * 4);
    const __half2 upper = __low2half2(halves(both)), lower = __high2half2(halves(both));
#pragma unroll
    for (int c = 0; c < 2; ++c) {
      const uint4 words = *reinterpret_cast<const uint4*>(own + ((warp * 2 + c) * 32 + lane) * 16);
      asm volatile("wgmma.wait_group.sync.aligned 1;" ::: "memory");  // a[c] is free
#pragma unroll
      for (int k = 0; k < 4; ++k) {
        unpack(word_of(words, k), a[c][k]);
        a[c][k][0] = bits(__hmul2(halves(a[c][k][0]), upper));
        a[c][k][1] = bits(__hmul2(halves(a[c][k][1]), lower));
        a[c][k][2] = bits(__hmul2(halves(a[c][k][2]), upper));
        a[c][k][3] = bits(__hmul2(halves(a[c][k][3]), lower));
      }
      asm volatile("wgmma.fence.sync.aligned;" ::: "memory");
      const uint64_t tile = describe(stages + block % kStagesOfX * kXBytes + c * kWide * 128);
#pragma unroll
      for (int k = 0; k < 4; ++k) multiply_wide(sum, a[c][k], tile + 2 * k);
      asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory");
    }
    // The block before this one has been multiplied by this warp; the next barrier says: by all.
    asm volatile("wgmma.wait_group.sync.aligned 2;" ::: "memory");
  }
  asm volatile("wgmma.wait_group.sync.aligned 0;" ::: "memory");

  // [token][row], over the stages, which everybody has left.
  __syncthreads();
  float* sums = reinterpret_cast<float*>(stages);
  constexpr int kRowPitch = kBlockRows + 4;  // lanes of one store fall into different banks
  float* own = sums + warp * 16;
#pragma unroll
  for (int i = 0; i < kWide / 2; ++i) {
    own[(i / 4 * 8 + 2 * t + i % 2) * kRowPitch + i % 4 / 2 * 8 + g] = sum[i];
  }
  __syncthreads();
  constexpr int kQuads = kBlockRows / 4;
  const int tile = blockIdx.y * gridDim.x + block_row;
  float4* parked =
      reinterpret_cast<float4*>(p.parked) + static_cast<int64_t>(tile) * kParts * kWide * kQuads;
  for (int i = threadIdx.x; i < tokens * kQuads; i += kMoreThreads) {
    const float4 v = *reinterpret_cast<const float4*>(sums + i / kQuads * kRowPitch + i % kQuads * 4);
    if (kParts == 1) {
      store(p, first_token + i / kQuads, block_row * kBlockRows + i % kQuads * 4, v);
    } else {
      __stcg(parked + part * kWide * kQuads + i, v);
    }
  }
  if (kParts == 1) return;
  // All parts are on the device at once (a cooperative launch); each adds up its share of the rows.
  __threadfence();
  __syncthreads();
  if (threadIdx.x == 0) {
    int* arrivals = p.met + 2 * tile;
    int* departures = arrivals + 1;
    atomicAdd(arrivals, 1);
    int now;
    do {
      asm volatile("ld.acquire.gpu.s32 %0, [%1];" : "=r"(now) : "l"(arrivals) : "memory");
    } while (now < kParts);
    // Who leaves last leaves zeros for the next call.
    if (atomicAdd(departures, 1) == kParts - 1) {
      *departures = 0;
      atomicExch(arrivals, 0);
    }
  }
  __syncthreads();
  constexpr int kShare = kQuads / kParts, kAtOnce = 2;
  for (int base = threadIdx.x; base < tokens * kShare; base += kAtOnce * kMoreThreads) {
    float4 v[kAtOnce][kParts];
#pragma unroll
    for (int n = 0; n < kAtOnce; ++n) {
      const int i = base + n * kMoreThreads, token = i / kShare, quad = part * kShare + i % kShare;
#pragma unroll
      for (int k = 0; k < kParts; ++k) {
        if (token < tokens) v[n][k] = __ldcg(parked + (k * kWide + token) * kQuads + quad);
      }
    }
#pragma unroll
    for (int n = 0; n < kAtOnce; ++n) {
      const int i = base + n * kMoreThreads, token = i / kShare, quad = part * kShare + i % kShare;
      float4 total = v[n][0];
#pragma unroll
      for (int k = 1; k < kParts; ++k) {
        total.x += v[n][k].x;
        total.y += v[n][k].y;
        total.z += v[n][k].z;
        total.w += v[n][k].w;
      }
      if (token < tokens) store(p, first_token + token, block_row * kBlockRows + quad * 4, total);
    }
  }
}

// --- launches ------------------------------------------------------------------------------------
void demand(cudaError_t error, const char* what) {
  if (error != cudaSuccess) TVM_FFI_THROW(RuntimeError) << what << ": " << cudaGetErrorString(error);
}

// together: all blocks must be on the device at once.
template <typename Kernel>
void launch(Kernel kernel, const Problem& p, dim3 blocks, int threads, int bytes, bool together,
            cudaStream_t stream) {
  demand(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, bytes),
         "w4a16_gemm: shared memory");
  cudaLaunchAttribute cooperative{};
  cooperative.id = cudaLaunchAttributeCooperative;
  cooperative.val.cooperative = 1;
  cudaLaunchConfig_t config{};
  config.gridDim = blocks;
  config.blockDim = dim3(threads);
  config.dynamicSmemBytes = bytes;
  config.stream = stream;
  config.attrs = &cooperative;
  config.numAttrs = together ? 1 : 0;
  demand(cudaLaunchKernelEx(&config, kernel, p), "w4a16_gemm did not launch");
}

template <int kPad>
void launch_fewest(const Problem& p, cudaStream_t stream) {
  launch(fewest_tokens<kPad>, p, dim3(p.rows / kUnitRows), 32 * kFewWarps, 0, false, stream);
}

template <int kStack, int kTile>
void launch_few(const Problem& p, cudaStream_t stream) {
  constexpr int kRows = kStack * kUnitRows;
  const int sums = 4 * kFewWarps * kTile * kTokens * (kRows + kSumSkew);
  const int bytes = p.tokens * (2 * p.columns + kSkew) + sums;
  launch(few_tokens<kStack, kTile>, p, dim3(p.rows / kRows), 32 * kFewWarps, bytes, false, stream);
}

template <int kWide, int kParts>
void launch_parts(const Problem& p, cudaStream_t stream) {
  constexpr int kStaged = kXStages<kWide> * kWide * 2 * kBlockColumns + kWeightStages<kWide> * kBlockBytes;
  constexpr int kSums = 4 * kWide * (kBlockRows + 4);
  const dim3 blocks(p.rows / kBlockRows, (p.tokens + kWide - 1) / kWide, kParts);
  launch(more_tokens<kWide, kParts>, p, blocks, kMoreThreads, kStaged > kSums ? kStaged : kSums, kParts > 1,
         stream);
}

// Chosen: as many parts of the columns as leave every block a multiprocessor.
template <int kWide>
void launch_more(const Problem& p, cudaStream_t stream) {
  const int64_t blocks = static_cast<int64_t>(p.rows / kBlockRows) * ((p.tokens + kWide - 1) / kWide);
  if (blocks * 4 <= kMostBlocks) {
    launch_parts<kWide, 4>(p, stream);
  } else if (blocks * 2 <= kMostBlocks) {
    launch_parts<kWide, 2>(p, stream);
  } else {
    launch_parts<kWide, 1>(p, stream);
  }
}

void check(TensorView x, const char* name, DLDataType type, std::initializer_list<int64_t> shape,
           DLDevice device) {
  bool fits = x.ndim() == static_cast<int>(shape.size());
  int axis = 0;
  for (int64_t size : shape) fits = fits && x.size(axis++) == size;
  if (!fits) {
    TVM_FFI_THROW(ValueError) << name << " has shape " << x.shape() << "; it must be "
                              << tvm::ffi::Shape(shape);
  }
  const DLDataType own = x.dtype();
  if (own.code != type.code || own.bits != type.bits || own.lanes != type.lanes) {
    TVM_FFI_THROW(TypeError) << name << " has dtype " << own << "; it must be " << type;
  }
  if (x.device().device_type != kDLCUDA || x.device().device_id != device.device_id) {
    TVM_FFI_THROW(ValueError) << name << " is not on the GPU of x";
  }
  if (!x.IsContiguous()) TVM_FFI_THROW(ValueError) << name << " is not contiguous";
  const uintptr_t address = reinterpret_cast<uintptr_t>(x.data_ptr()) + x.byte_offset();
  if (address % 16 != 0) {
    TVM_FFI_THROW(ValueError) << name << " starts at an address that 16 does not divide";
  }
}

template <typename T>
T* data(TensorView x) {
  return reinterpret_cast<T*>(static_cast<char*>(x.data_ptr()) + x.byte_offset());
}

void W4A16Gemm(TensorView x, TensorView units, TensorView lane_scales, TensorView blocks,
               TensorView parked, TensorView met, TensorView y) {
  constexpr DLDataType f16{kDLFloat, 16, 1}, f32{kDLFloat, 32, 1}, i32{kDLInt, 32, 1}, u8{kDLUInt, 8, 1};
  if (x.ndim() != 2 || y.ndim() != 2) TVM_FFI_THROW(ValueError) << "x and y must have two axes";
  const int64_t tokens = x.size(0), columns = x.size(1), rows = y.size(1);
  if (rows < 1 || columns < 1 || rows % kBlockRows != 0 || columns % 1024 != 0 || tokens < 1) {
    TVM_FFI_THROW(ValueError) << "x " << x.shape() << ", y " << y.shape() << ": there must be tokens, rows "
                              << "in multiples of " << kBlockRows << " and columns in multiples of 1024";
  }
  // The grid's second axis counts tiles of tokens; it ends at 65535.
  if (tokens > 65535 * 128 || rows > INT32_MAX / 2 || columns > (1 << 24)) {
    TVM_FFI_THROW(ValueError) << "x " << x.shape() << ", y " << y.shape() << " are too large";
  }
  const DLDevice device = x.device();
  const int64_t tiles = rows / kBlockRows * (columns / kBlockColumns);
  check(x, "x", f16, {tokens, columns}, device);
  check(units, "units", i32, {rows * columns / 8}, device);
  check(lane_scales, "lane_scales", f16, {rows * columns / 128}, device);
  check(blocks, "blocks", u8, {tiles * kBlockBytes}, device);
  check(parked, "parked", f32, {kMostBlocks * kBlockRows * 128}, device);
  check(met, "met", i32, {2 * kMostBlocks}, device);
  check(y, "y", f16, {tokens, rows}, device);

  const Problem p{data<__half>(x),      data<uint4>(units), data<uint4>(lane_scales),
                  data<uint8_t>(blocks), data<float>(parked), data<int>(met),
                  data<__half>(y),      static_cast<int>(tokens), static_cast<int>(rows),
                  static_cast<int>(columns)};
  tvm::ffi::CUDADeviceGuard guard(device.device_id);
  auto stream = static_cast<cudaStream_t>(TVMFFIEnvGetStream(device.device_type, device.device_id));
  const bool fits = columns == kFewWarps * kUnitColumns;
  // Chosen: blocks of 32 rows while every one of them has a multiprocessor, of 64 beyond.
  const bool narrow = rows / kUnitRows <= kMostBlocks;
  if (fits && narrow && tokens <= kTokens) {
    tokens <= 2 ? launch_fewest<2>(p, stream) : tokens <= 4 ? launch_fewest<4>(p, stream) : launch_fewest<8>(p, stream);
  } else if (fits && tokens <= kTokens) {
    launch_few<2, 1>(p, stream);
  } else if (fits && tokens <= 2 * kTokens) {
    narrow ? launch_few<1, 2>(p, stream) : launch_few<2, 2>(p, stream);
  } else if (tokens <= 32) {
    launch_more<32>(p, stream);
  } else if (tokens <= 64) {
    launch_more<64>(p, stream);
  } else {
    launch_more<128>(p, stream);
  }
}

}  // namespace

TVM_FFI_DLL_EXPORT_TYPED_FUNC(w4a16_gemm, W4A16Gemm);
