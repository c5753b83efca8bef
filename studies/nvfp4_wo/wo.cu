// The projection at the speed of memory, to the last bit of grouped_order in reference.py.
//
// In:  attn [B,6144] bf16; codes [C,U,WARPS,32,16] u8 (or [C,WARPS,U,32,16]) and lane_scales
//      [C,WARPS,32*5*S] u8 from `streamed` in prepare.py, C = H/40 CTAs, S = 96/WARPS steps of a
//      warp, U = 5*S/2 units; global_scale. Out: out [B,H] f32.
//      WARPS: of a CTA; each has 6144/WARPS columns of all its rows. DEPTH: units that a lane asks
//      for before it uses the first. PASSES: products that make signed weights, 1 or 2, see below.
//      NEIGHBOURS: 1 if what the warps read at the same time lies together, 0 if what a warp reads.
// Why: 17.7 MB take 4 us, a few latencies of memory. So nobody waits for anybody until the last sums:
//      a CTA owns 40 rows (5120 are 128 times 40: 128 of 132 multiprocessors get the same), a warp
//      the same columns of all of them. It converts these columns' activations for itself and keeps
//      them in registers, and weights go from memory to registers, a few loads ahead of the
//      arithmetic. Arithmetic takes nearly as long as memory, so what counts is instructions.
//
// Hence integers. Twice an E2M1 value is 0 1 2 3 4 6 8 or 12 and a sign: a byte. PRMT looks up four
// bytes by the low three bits of four nibbles; where bit 3 is set it repeats the sign bit of what it
// found. So one look-up gives the weights that are not negative, and one with all bits turned over the
// others. Turning over, -x - 1, is left to the multipliers: bit operations have half the rate.
//   PASSES=2: each look-up is a product of its own. The second adds -1 where the first has
//     found something positive, so the first finds 1 more.
//   PASSES=1: weights plus 12 are never negative, so each look-up finds 0 where it is not meant, and
//     both are one by OR. Half the products; 12 times the sum of activations is taken off.
// Activations become 15-bit integers relative to the largest of their group, in two bytes. Tensor
// cores multiply bytes and add in 32 bits without rounding: whatever their order, the sum of a group
// is exact.
//
// One m16n8k32 product takes 16 rows of weights and 8 columns of activations. Lane 4r + t holds the
// weights of rows r and r + 8 in 8 of the 32 places of k, and gets back columns 2t and 2t + 1 of
// these rows. So t's places belong to a group of its own, whose high and low bytes stand in columns
// 2t and 2t + 1, among zeros. Each lane gets the sums of its own weights; nothing moves between
// lanes. 40 rows are two blocks of 16 and one of 8, whose second half of the product is free for its
// second pass.

#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_fp8.h>
#include <cuda_runtime.h>
#include <tvm/ffi/extra/c_env_api.h>
#include <tvm/ffi/extra/cuda/device_guard.h>

#include <cstdint>

#include "gpu_tensors.h"

namespace {

constexpr int kColumns = 6144;
constexpr int kGroup = 16;  // columns that share a scale
constexpr int kRows = 40;   // of a CTA: blocks of 16, 16 and 8
constexpr int kThreads = 32 * WARPS;
constexpr int kSteps = kColumns / kGroup / (4 * WARPS);  // of a warp: four groups each
constexpr int kGroups = 4 * kSteps;                      // of a warp
constexpr int kUnits = 5 * kSteps / 2;  // 16 bytes of codes a lane: 16 rows, or 8 rows of two steps
constexpr int kScales = 5 * kSteps;     // bytes of a lane
static_assert(kGroups * WARPS * kGroup == kColumns && kSteps % 2 == 0, "warps share evenly");
static_assert(kGroups <= 32, "a lane converts one group");
static_assert(kThreads >= kRows && kThreads <= 1024, "one thread sums a row");
static_assert(DEPTH >= 1 && DEPTH <= kUnits, "a ring of units");
static_assert(PASSES == 1 || PASSES == 2, "products that make signed weights");
static_assert(NEIGHBOURS == 0 || NEIGHBOURS == 1, "whose units lie together");

struct Problem {
  const __nv_bfloat16* attn;
  const uint8_t *codes, *scales;
  float global_scale;
  int rows;
  float* out;
};

// A warp's activations, on the way to the lanes that multiply them.
struct Activations {
  uint4 bytes[kGroups][2];  // of each group: high, then low
  uint4 zeros;
  float unit[kGroups];
  int offset[kGroups];  // -12 times the sum of the group
};

struct Shared {
  Activations activations[WARPS];
  float sums[kRows][WARPS + 1];  // one more, so that rows start in different banks
};

// --- loads, in the order of the source as far as a barrier orders them ---------------------------
// Weights are read once: they pass by L1.
template <int kBytes>
__device__ void load_once(const uint8_t* from, uint32_t* to) {
  static_assert(kBytes == 16 || kBytes == 8 || kBytes == 4 || kBytes == 2, "bytes of one load");
  if constexpr (kBytes == 16) {
    asm volatile("ld.global.nc.L1::no_allocate.v4.u32 {%0, %1, %2, %3}, [%4];"
                 : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3])
                 : "l"(from));
  } else if constexpr (kBytes == 8) {
    asm volatile("ld.global.nc.L1::no_allocate.v2.u32 {%0, %1}, [%2];"
                 : "=r"(to[0]), "=r"(to[1])
                 : "l"(from));
  } else if constexpr (kBytes == 4) {
    asm volatile("ld.global.nc.L1::no_allocate.u32 %0, [%1];" : "=r"(to[0]) : "l"(from));
  } else {
    uint16_t both;
    asm volatile("ld.global.nc.L1::no_allocate.u16 %0, [%1];" : "=h"(both) : "l"(from));
    to[0] = both;
  }
}

__device__ uint4 load_unit(const uint8_t* from) {
  uint32_t words[4];
  load_once<16>(from, words);
  return {words[0], words[1], words[2], words[3]};
}

// A lane's scales, in pieces of 16, 8, 4 and 2 bytes; those of a warp lie together.
template <int kLeft>
__device__ void load_scales(const uint8_t* from, uint32_t* to) {
  constexpr int kNow = kLeft >= 16 ? 16 : kLeft >= 8 ? 8 : kLeft >= 4 ? 4 : 2;
  load_once<kNow>(from + threadIdx.x % 32 * kNow, to);
  if constexpr (kLeft > kNow) load_scales<kLeft - kNow>(from + 32 * kNow, to + kNow / 4);
}

__device__ uint4 load_activations(const uint4* from) {
  uint4 v;
  asm volatile("ld.global.nc.v4.u32 {%0, %1, %2, %3}, [%4];"
               : "=r"(v.x), "=r"(v.y), "=r"(v.z), "=r"(v.w)
               : "l"(from));
  return v;
}

// --- activations ---------------------------------------------------------------------------------
__device__ uint32_t permute(uint32_t low, uint32_t high, uint32_t selector) {
  uint32_t bytes;
  asm("prmt.b32 %0, %1, %2, %3;" : "=r"(bytes) : "r"(low), "r"(high), "r"(selector));
  return bytes;
}

__device__ float power_of_two(int n) { return __int_as_float((n + 127) << 23); }

// Byte number `place` of each of 16 words, in their order.
__device__ uint4 gather(const uint32_t (&from)[16], int place) {
  uint32_t to[4];
  const uint32_t pick = place | (4 + place) << 4;
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    const uint32_t* four = from + 4 * i;
    to[i] = permute(permute(four[0], four[1], pick), permute(four[2], four[3], pick), 0x5410);
  }
  return {to[0], to[1], to[2], to[3]};
}

// A lane's group of 16 becomes integers below 2^15, in the unit that grouped_order explains.
__device__ void convert_group(uint4 left, uint4 right, int group, Activations& to) {
  const uint32_t pairs[8] = {left.x, left.y, left.z, left.w, right.x, right.y, right.z, right.w};
  float a[16], top = 0.0f;
#pragma unroll
  for (int k = 0; k < 16; ++k) {
    a[k] = __uint_as_float(k % 2 == 0 ? pairs[k / 2] << 16 : pairs[k / 2] & 0xffff0000);
    top = fmaxf(top, fabsf(a[k]));
  }
  const int exponent = max(static_cast<int>((__float_as_uint(top) + 0x10000) >> 23) - 127, -100);
  // Next to 1.5 * 2^23 neighbours are 1 apart, so adding it rounds, and leaves the integer in the low
  // bits. 128 more, and the second byte is the high one of 256 * high + low with low in -128 ... 127.
  uint32_t whole[16];
  uint32_t sum = 0;
#pragma unroll
  for (int k = 0; k < 16; ++k) {
    whole[k] = __float_as_uint(fmaf(a[k], power_of_two(14 - exponent), 0x1.8p23f + 128.0f));
    sum += whole[k];
  }
  constexpr uint32_t kLift = 0x80808080;  // of low by 128
  const uint4 low = gather(whole, 0);
  to.bytes[group][0] = gather(whole, 1);
  to.bytes[group][1] = {low.x ^ kLift, low.y ^ kLift, low.z ^ kLift, low.w ^ kLift};
  to.unit[group] = power_of_two(exponent - 15);  // half of it: the codes were doubled
  if (PASSES == 1) to.offset[group] = -12 * static_cast<int>(sum - 16 * (0x4b400000u + 128));
}

// Of column n = lane / 4 only the places of group n / 2 are not zero, and only lane % 4 == n / 2 holds
// those. bytes: a lane's places of that column, for each step.
struct Columns {
  uint4 bytes[kSteps];
  float unit[kSteps];
  int offset[kSteps];
};

__device__ Columns find_columns(const Activations& a) {
  const int lane = threadIdx.x % 32, n = lane / 4, t = lane % 4;
  const bool holds = t == n / 2;
  const uint4* first = holds ? &a.bytes[t][n % 2] : &a.zeros;
  Columns columns;
#pragma unroll
  for (int s = 0; s < kSteps; ++s) {
    columns.bytes[s] = first[holds ? 8 * s : 0];
    columns.unit[s] = a.unit[4 * s + t];
    columns.offset[s] = PASSES == 1 ? a.offset[4 * s + t] : 0;
  }
  return columns;
}

// --- weights -------------------------------------------------------------------------------------
// Two tables of eight bytes, by index and by 7 - index. threadIdx.y is 0, which the compiler does not
// know: it would copy a constant for each look-up, and turn bits over with a bit operation.
struct Tables {
  uint32_t plus[2], minus[2], minus_one;
};

__device__ Tables make_tables() {
  const uint32_t none = threadIdx.y;
  if (PASSES == 1) {
    return {{0x0f0e0d0c + none, 0x18141210 + none}, {0x08060400 + none, 0x0c0b0a09 + none}, ~none};
  }
  return {{0x04030200 + none, 0x0d090705 + none}, {0xfcfaf8f4 + none, 0x00fffefd + none}, ~none};
}

__device__ uint32_t turn_over(uint32_t x, const Tables& tables) {
  uint32_t y;
  asm("mad.lo.u32 %0, %1, %2, %2;" : "=r"(y) : "r"(x), "r"(tables.minus_one));
  return y;
}

// Four bytes for the low four codes.
__device__ uint32_t plus(uint32_t codes, const Tables& tables) {
  return permute(tables.plus[0], tables.plus[1], codes);
}
__device__ uint32_t minus(uint32_t codes, const Tables& tables) {
  return permute(tables.minus[0], tables.minus[1], turn_over(codes, tables));
}
__device__ uint32_t both(uint32_t codes, const Tables& tables) {
  return plus(codes, tables) | minus(codes, tables);
}

// A's registers: row r in places 4t ... 4t + 3, row r + 8 there, then both in places 4t + 16 ... 4t + 19.
__device__ void multiply(int (&sum)[4], uint32_t a0, uint32_t a1, uint32_t a2, uint32_t a3, uint2 b) {
  asm("mma.sync.aligned.m16n8k32.row.col.s32.s8.s8.s32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, "
      "{%8, %9}, {%0, %1, %2, %3};"
      : "+r"(sum[0]), "+r"(sum[1]), "+r"(sum[2]), "+r"(sum[3])
      : "r"(a0), "r"(a1), "r"(a2), "r"(a3), "r"(b.x), "r"(b.y));
}

// Adds 8 codes of row r and 8 of row r + 8.
__device__ void add_rows(int (&sum)[4], uint32_t here, uint32_t below, uint2 b, const Tables& tables) {
  const uint32_t here2 = here >> 16, below2 = below >> 16;
  if (PASSES == 1) {
    multiply(sum, both(here, tables), both(below, tables), both(here2, tables), both(below2, tables), b);
  } else {
    multiply(sum, plus(here, tables), plus(below, tables), plus(here2, tables), plus(below2, tables), b);
    multiply(sum, minus(here, tables), minus(below, tables), minus(here2, tables),
             minus(below2, tables), b);
  }
}

// Adds 8 codes of row r alone: the second pass takes the place of row r + 8.
__device__ void add_row(int (&sum)[4], uint32_t codes, uint2 b, const Tables& tables) {
  const uint32_t second = codes >> 16;
  if (PASSES == 1) {
    multiply(sum, both(codes, tables), 0, both(second, tables), 0, b);
  } else {
    multiply(sum, plus(codes, tables), minus(codes, tables), plus(second, tables),
             minus(second, tables), b);
  }
}

// sum + (256 * high + low + offset) * scale * unit, rounded twice: the unit is a power of two.
__device__ float add_term(float sum, int high, int low, int offset, float scale, float unit) {
  const int dot = PASSES == 1 ? high * 256 + offset + low : high * 256 + low;
  return fmaf(__fmul_rn(__int2float_rn(dot), scale), unit, sum);
}

__device__ float2 decode_scales(uint32_t pair) {
  const auto low = static_cast<__nv_fp8x2_storage_t>(pair);
  return __half22float2(__half2(__nv_cvt_fp8x2_to_halfraw2(low, __NV_E4M3)));
}

// 16 rows of one step: the codes of row r, then of row r + 8.
__device__ void add_block(float* sums, uint4 codes, float2 scale, const Columns& columns, int s,
                          const Tables& tables) {
  const uint4 b = columns.bytes[s];
  int sum[4] = {0, 0, 0, 0};  // high and low bytes of row r, then of row r + 8
  add_rows(sum, codes.x, codes.z, {b.x, b.y}, tables);
  add_rows(sum, codes.y, codes.w, {b.z, b.w}, tables);
  sums[0] = add_term(sums[0], sum[0], sum[1], columns.offset[s], scale.x, columns.unit[s]);
  sums[1] = add_term(sums[1], sum[2], sum[3], columns.offset[s], scale.y, columns.unit[s]);
}

// 8 rows of one step.
__device__ void add_half(float* sums, uint2 codes, float scale, const Columns& columns, int s,
                         const Tables& tables) {
  const uint4 b = columns.bytes[s];
  int sum[4] = {0, 0, 0, 0};
  add_row(sum, codes.x, {b.x, b.y}, tables);
  add_row(sum, codes.y, {b.z, b.w}, tables);
  sums[0] = add_term(sums[0], sum[0] + sum[2], sum[1] + sum[3], columns.offset[s], scale,
                     columns.unit[s]);
}

// Over the four lanes of a row; each of them gets it.
__device__ float sum_lanes(float x) {
  x = __fadd_rn(x, __shfl_xor_sync(0xffffffff, x, 1));
  return __fadd_rn(x, __shfl_xor_sync(0xffffffff, x, 2));
}

// A warp's part of the CTA's rows: sums of rows r, r + 8, ... r + 32.
__device__ void sum_columns(const Problem& p, Activations& activations, float (&sums)[5]) {
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  const int group = lane < kGroups ? lane : kGroups - 1;  // lanes beyond repeat the last
  const auto* attn = reinterpret_cast<const uint4*>(p.attn + blockIdx.y * kColumns) +
                     (warp * kGroups + group) * 2;
  const uint4 left = load_activations(attn), right = load_activations(attn + 1);
  __syncwarp();
  const int64_t owner = static_cast<int64_t>(blockIdx.x) * WARPS + warp;
  uint32_t packed[(kScales + 3) / 4];
  load_scales<kScales>(p.scales + owner * (32 * kScales), packed);
  constexpr int kStride = NEIGHBOURS ? WARPS * 512 : 512;  // bytes from a unit to the warp's next
  const uint8_t* codes = p.codes + static_cast<int64_t>(blockIdx.x) * (kUnits * WARPS * 512) +
                         warp * (NEIGHBOURS ? 512 : kUnits * 512) + lane * 16;
  uint4 ring[DEPTH];
#pragma unroll
  for (int u = 0; u < DEPTH; ++u) ring[u] = load_unit(codes + u * kStride);

  convert_group(left, right, group, activations);
  if (lane == 0) activations.zeros = {0, 0, 0, 0};
  __syncwarp();
  const Columns columns = find_columns(activations);
  const Tables tables = make_tables();
#pragma unroll
  for (int u = 0; u < kUnits; ++u) {
    const uint4 unit = ring[u % DEPTH];
    const float2 scale = decode_scales(packed[u / 2] >> (16 * (u % 2)));
    if (u < 2 * kSteps) {
      add_block(sums + 2 * (u / kSteps), unit, scale, columns, u % kSteps, tables);
    } else {
      const int s = 2 * (u - 2 * kSteps);
      add_half(sums + 4, {unit.x, unit.y}, scale.x, columns, s, tables);
      add_half(sums + 4, {unit.z, unit.w}, scale.y, columns, s + 1, tables);
    }
    if (u + DEPTH < kUnits) ring[u % DEPTH] = load_unit(codes + (u + DEPTH) * kStride);
  }
}

// blockIdx.x: 40 rows; blockIdx.y: an item.
__global__ void __launch_bounds__(kThreads, 1) wo_stream_kernel(const Problem p) {
  __shared__ Shared shared;
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  float sums[5] = {0.0f, 0.0f, 0.0f, 0.0f, 0.0f};
  sum_columns(p, shared.activations[warp], sums);
#pragma unroll
  for (int i = 0; i < 5; ++i) {
    const float sum = sum_lanes(sums[i]);
    if (lane % 4 == 0) shared.sums[8 * i + lane / 4][warp] = sum;
  }
  __syncthreads();
  const int row = blockIdx.x * kRows + threadIdx.x;
  if (threadIdx.x >= kRows || row >= p.rows) return;
  float total = shared.sums[threadIdx.x][0];
#pragma unroll
  for (int other = 1; other < WARPS; ++other) {
    total = __fadd_rn(total, shared.sums[threadIdx.x][other]);
  }
  p.out[static_cast<int64_t>(blockIdx.y) * p.rows + row] = __fmul_rn(total, p.global_scale);
}

void Wo(TensorView attn, TensorView codes, TensorView lane_scales, double global_scale,
        TensorView out) {
  // The grid's second axis counts items; it ends at 65535.
  if (out.ndim() != 2 || out.size(0) > 65535 || out.size(1) > INT32_MAX - kRows) {
    TVM_FFI_THROW(ValueError) << "out has shape " << out.shape() << "; it must be [items, rows], "
                              << "at most 65535 items";
  }
  const int64_t items = out.size(0), rows = out.size(1), ctas = (rows + kRows - 1) / kRows;
  const DLDevice device = out.device();
  check(attn, "attn", kBfloat16, {items, kColumns}, device);
  const int64_t outer = NEIGHBOURS ? kUnits : WARPS, inner = NEIGHBOURS ? WARPS : kUnits;
  check(codes, "codes", kUint8, {ctas, outer, inner, 512}, device);
  check(lane_scales, "lane_scales", kUint8, {ctas, WARPS, 32 * kScales}, device);
  check(out, "out", kFloat32, {items, rows}, device);

  const Problem p{data<__nv_bfloat16>(attn),
                  data<uint8_t>(codes),
                  data<uint8_t>(lane_scales),
                  static_cast<float>(global_scale),
                  static_cast<int>(rows),
                  data<float>(out)};
  tvm::ffi::CUDADeviceGuard guard(device.device_id);
  auto stream = static_cast<cudaStream_t>(TVMFFIEnvGetStream(device.device_type, device.device_id));
  const dim3 grid(static_cast<unsigned>(ctas), static_cast<unsigned>(items));
  wo_stream_kernel<<<grid, kThreads, 0, stream>>>(p);
  const cudaError_t error = cudaGetLastError();
  if (error != cudaSuccess) {
    TVM_FFI_THROW(RuntimeError) << "wo did not launch: " << cudaGetErrorString(error);
  }
}

}  // namespace

TVM_FFI_DLL_EXPORT_TYPED_FUNC(wo, Wo);
