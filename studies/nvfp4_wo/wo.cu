// The projection at the speed of memory, to the last bit of grouped_order in reference.py.
//
// In:  attn [B,6144] bf16; tiles [H/16,12,4608] u8 from `streamed` in prepare.py: codes and scales as
//      the lanes of a warp read them; global_scale. Out: out [B,H] f32.
//      FLIGHT: blocks of 16 rows that a CTA asks for before it uses the first of them.
// Why: 17.7 MB take 4 us, over before a loop that loads, computes and loads again finds its rhythm.
//      So every CTA asks for its whole share at once, and prepares the activations meanwhile. Each
//      warp's part of a block comes by one bulk copy to a place of its own in shared memory and is
//      used when it is there, while the rest is under way. Nor must arithmetic take the time: turning
//      31 million codes into floats would.
//
// Hence integers. Twice an E2M1 value is 0 1 2 3 4 6 8 or 12 and a sign: a byte. PRMT looks up four
// bytes by the low three bits of four nibbles; where bit 3 is set it repeats the sign bit of what
// it found, here 0. So one look-up gives the positive weights, and 0 for the others; one with all
// bits 3 turned over gives the negative ones. Activations become 15-bit integers relative to the
// largest of their group, in two bytes. Tensor cores multiply bytes and add in 32 bits without
// rounding: whatever their order, the sum of a group is exact.
//
// One m16n8k32 product takes 16 rows of weights and 8 columns of activations. Lane 4r + t holds the
// weights of rows r and r + 8 in 8 of the 32 places of k, and gets back columns 2t and 2t + 1 of
// these rows. So t's places belong to a group of its own, whose high and low bytes stand in columns
// 2t and 2t + 1, among zeros. Each lane gets the sums of its own weights; nothing moves between
// lanes. Two products make a group of 16, two more its negative weights.

#include <cuda_bf16.h>
#include <cuda_fp8.h>
#include <cuda_runtime.h>
#include <tvm/ffi/extra/c_env_api.h>
#include <tvm/ffi/extra/cuda/device_guard.h>

#include <algorithm>
#include <cstdint>

#include "gpu_tensors.h"

namespace {

constexpr int kColumns = 6144;
constexpr int kGroup = 16;  // columns that share a scale
constexpr int kRows = 16;   // of a block: the rows of a tensor-core product
constexpr int kWarps = 12;  // Chosen: each has 8 whole steps of a block.
constexpr int kThreads = 32 * kWarps;
constexpr int kGroups = kColumns / kGroup;
constexpr int kSteps = kGroups / (4 * kWarps);  // of a warp, in a block
constexpr int kCodes = kSteps * 32 * 16;        // bytes of a warp's codes in a block
constexpr int kChunk = kCodes + kSteps * 32 * 2;  // and of its scales
static_assert(kSteps == 8, "a lane's scales of a block are 16 bytes");
static_assert(FLIGHT * kRows <= kThreads, "one thread sums a row");

struct Problem {
  const __nv_bfloat16* attn;
  const uint8_t* tiles;
  float global_scale;
  int items, blocks;
  float* out;
};

// A CTA's activations. bytes: for each group [high, low] bytes of integers [as they are, negated].
struct Activations {
  uint4 bytes[kGroups][2][2];
  uint4 zeros[2];
  float unit[kGroups];
};

struct Sums {
  float warps[FLIGHT * kRows][kWarps + 1];  // one more, so that rows start in different banks
};

struct Shared {
  uint8_t weights[FLIGHT][kWarps][kChunk];
  Activations activations;
  Sums sums;
  uint64_t landed[FLIGHT][kWarps];  // mbarriers that count the bytes of weights
};

// A CTA's blocks of rows: first, first + stride, ..., as long as there are any.
struct Blocks {
  int first, stride, end;
  __device__ bool has(int f) const { return first + f * stride < end; }
};

__device__ uint32_t shared_address(const void* at) {
  return static_cast<uint32_t>(__cvta_generic_to_shared(at));
}

// One lane of each warp asks for all of the warp's weights, in the order in which they are used.
__device__ void ask(const Problem& p, const Blocks& own, Shared& shared) {
  const int warp = threadIdx.x / 32;
  for (int f = 0; f < FLIGHT && own.has(f); ++f) {
    const uint32_t landed = shared_address(&shared.landed[f][warp]);
    const uint8_t* from =
        p.tiles + (static_cast<int64_t>(own.first + f * own.stride) * kWarps + warp) * kChunk;
    asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(landed), "r"(kChunk)
                 : "memory");
    asm volatile(
        "cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1], %2, [%3];" ::"r"(
            shared_address(shared.weights[f][warp])),
        "l"(from), "r"(kChunk), "r"(landed)
        : "memory");
  }
}

// Returns when a warp's weights of block f have landed. phase: alternates from one use of the place
// to the next.
__device__ void wait(const Shared& shared, int f, int phase) {
  asm volatile(
      "{\n .reg .pred done;\n"
      "again: mbarrier.try_wait.parity.shared::cta.b64 done, [%0], %1;\n"
      " @!done bra again;\n}" ::"r"(shared_address(&shared.landed[f][threadIdx.x / 32])),
      "r"(phase)
      : "memory");
}

__device__ uint32_t permute(uint32_t low, uint32_t high, uint32_t selector) {
  uint32_t bytes;
  asm("prmt.b32 %0, %1, %2, %3;" : "=r"(bytes) : "r"(low), "r"(high), "r"(selector));
  return bytes;
}

// Four bytes: twice the value of each of the low four codes that is positive, 0 for the others.
// threadIdx.y is 0, which the compiler does not know: it would copy a constant for each look-up.
__device__ uint32_t positive(uint32_t codes) {
  return permute(0x03020100 + threadIdx.y, 0x0c080604, codes);
}

// Adds 8 positive codes of row r and 8 of row r + 8. A's registers: row r in places 4t ... 4t + 3,
// row r + 8 there, then both in places 4t + 16 ... 4t + 19. B's two: these places of column n.
__device__ void add_codes(int (&sum)[4], uint32_t here, uint32_t below, uint32_t b0, uint32_t b1) {
  asm("mma.sync.aligned.m16n8k32.row.col.s32.s8.s8.s32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, "
      "{%8, %9}, {%0, %1, %2, %3};"
      : "+r"(sum[0]), "+r"(sum[1]), "+r"(sum[2]), "+r"(sum[3])
      : "r"(positive(here)), "r"(positive(below)), "r"(positive(here >> 16)),
        "r"(positive(below >> 16)), "r"(b0), "r"(b1));
}

// A lane's columns of B, two 16-byte words a step: activations as they are, and negated. Of column
// n = lane / 4 only the places of group n / 2 are not zero, and only lane % 4 == n / 2 holds those.
struct Columns {
  const uint4* first;
  int stride;
  const float* unit;
};

__device__ Columns find_columns(const Activations& a) {
  const int lane = threadIdx.x % 32, n = lane / 4, t = lane % 4;
  const int group = threadIdx.x / 32 * kSteps * 4 + t;
  const int stride = sizeof a.bytes[0] / sizeof(uint4) * 4;  // the four groups of a step
  const bool holds = t == n / 2;
  return {holds ? a.bytes[group][n % 2] : a.zeros, holds ? stride : 0, a.unit + group};
}

// The groups of one step: exact sums, then one term for row r (.x) and one for row r + 8 (.y).
__device__ float2 sum_step(uint4 codes, uint32_t scales, const Columns& columns, int step) {
  constexpr uint32_t kSigns = 0x88888888;
  const uint4 as_is = columns.first[step * columns.stride];
  const uint4 negated = columns.first[step * columns.stride + 1];
  const float unit = columns.unit[4 * step];
  int sum[4] = {0, 0, 0, 0};  // high and low bytes of row r, then of row r + 8
  add_codes(sum, codes.x, codes.z, as_is.x, as_is.y);
  add_codes(sum, codes.y, codes.w, as_is.z, as_is.w);
  add_codes(sum, codes.x ^ kSigns, codes.z ^ kSigns, negated.x, negated.y);
  add_codes(sum, codes.y ^ kSigns, codes.w ^ kSigns, negated.z, negated.w);
  const auto pair = static_cast<__nv_fp8x2_storage_t>(scales);
  const float2 scale = __half22float2(__nv_cvt_fp8x2_to_halfraw2(pair, __NV_E4M3));
  return {__fmul_rn(__int2float_rn(sum[0] * 256 + sum[1]), __fmul_rn(scale.x, unit)),
          __fmul_rn(__int2float_rn(sum[2] * 256 + sum[3]), __fmul_rn(scale.y, unit))};
}

// A warp's part of 16 rows: over its steps. (.x of row r, .y of row r + 8.)
__device__ float2 sum_chunk(const uint8_t* chunk, const Columns& columns) {
  const int lane = threadIdx.x % 32;
  const uint4 scales = *reinterpret_cast<const uint4*>(chunk + kCodes + lane * 16);
  float2 sum = {0.0f, 0.0f};
#pragma unroll
  for (int s = 0; s < kSteps; ++s) {
    const uint4 codes = *reinterpret_cast<const uint4*>(chunk + (s * 32 + lane) * 16);
    const uint32_t pair = s < 2 ? scales.x : s < 4 ? scales.y : s < 6 ? scales.z : scales.w;
    const float2 term = sum_step(codes, pair >> (16 * (s % 2)), columns, s);
    sum = {__fadd_rn(sum.x, term.x), __fadd_rn(sum.y, term.y)};
  }
  return sum;
}

// Over the four lanes of a row; each of them gets it.
__device__ float sum_lanes(float x) {
  x = __fadd_rn(x, __shfl_xor_sync(0xffffffff, x, 1));
  return __fadd_rn(x, __shfl_xor_sync(0xffffffff, x, 2));
}

__device__ float power_of_two(int n) { return __int_as_float((n + 127) << 23); }

// Byte number `place` of four integers, in their order.
__device__ uint32_t gather(const int* from, int place) {
  const uint32_t pick = place | (4 + place) << 4;
  return permute(permute(from[0], from[1], pick), permute(from[2], from[3], pick), 0x5410);
}

// whole = 256 * high + low, both from -128 to 127.
__device__ void store_bytes(const int (&whole)[8], uint2* high, uint2* low) {
  int above[8];
#pragma unroll
  for (int k = 0; k < 8; ++k) above[k] = whole[k] + 128;
  *high = {gather(above, 1), gather(above + 4, 1)};
  *low = {gather(whole, 0), gather(whole + 4, 0)};
}

// Eight activations become integers below 2^15, in the unit that grouped_order explains. The other
// half of their group is the neighbouring lane's.
__device__ void convert_half(uint4 raw, int half, Activations& to) {
  const uint32_t pairs[4] = {raw.x, raw.y, raw.z, raw.w};
  float a[8], top = 0.0f;
#pragma unroll
  for (int k = 0; k < 8; ++k) {
    a[k] = __uint_as_float(k % 2 == 0 ? pairs[k / 2] << 16 : pairs[k / 2] & 0xffff0000);
    top = fmaxf(top, fabsf(a[k]));
  }
  top = fmaxf(top, __shfl_xor_sync(0xffffffff, top, 1));
  const int exponent = max(static_cast<int>((__float_as_uint(top) + 0x10000) >> 23) - 127, -100);
  int whole[8], negated[8];
#pragma unroll
  for (int k = 0; k < 8; ++k) {
    whole[k] = __float2int_rn(a[k] * power_of_two(14 - exponent));
    negated[k] = -whole[k];
  }
  const int group = half / 2, side = half % 2;
  auto* at = reinterpret_cast<uint2 (*)[2][2]>(to.bytes[group]);  // [high, low] [sign] [side]
  store_bytes(whole, &at[0][0][side], &at[1][0][side]);
  store_bytes(negated, &at[0][1][side], &at[1][1][side]);
  // Half of it: the codes were doubled.
  if (side == 0) to.unit[group] = power_of_two(exponent - 15);
}

constexpr int kTurns = 2 * kGroups / kThreads;  // halves of groups that a thread converts
static_assert(kTurns * kThreads == 2 * kGroups, "threads share the halves evenly");

using Raw = uint4[kTurns];

// Volatile: what is asked for first comes first, and the compiler keeps the order of such loads.
__device__ void load_activations(const Problem& p, int item, Raw& raw) {
  const auto* from = reinterpret_cast<const uint4*>(p.attn + static_cast<int64_t>(item) * kColumns);
#pragma unroll
  for (int turn = 0; turn < kTurns; ++turn) {
    asm volatile("ld.global.nc.v4.u32 {%0, %1, %2, %3}, [%4];"
                 : "=r"(raw[turn].x), "=r"(raw[turn].y), "=r"(raw[turn].z), "=r"(raw[turn].w)
                 : "l"(from + turn * kThreads + threadIdx.x));
  }
}

__device__ void convert_activations(const Raw& raw, Activations& to) {
#pragma unroll
  for (int turn = 0; turn < kTurns; ++turn) {
    convert_half(raw[turn], turn * kThreads + threadIdx.x, to);
  }
}

// One batch item: its activations times every block in flight.
__device__ void project_item(const Problem& p, int item, int phase, const Blocks& own,
                             Shared& shared) {
  const Columns columns = find_columns(shared.activations);
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
#pragma unroll 1
  for (int f = 0; f < FLIGHT && own.has(f); ++f) {
    wait(shared, f, phase);
    const float2 both = sum_chunk(shared.weights[f][warp], columns);
    const float2 sum = {sum_lanes(both.x), sum_lanes(both.y)};
    if (lane % 4 == 0) {
      shared.sums.warps[f * kRows + lane / 4][warp] = sum.x;
      shared.sums.warps[f * kRows + lane / 4 + 8][warp] = sum.y;
    }
  }
  __syncthreads();
  const int row = threadIdx.x, f = row / kRows;
  if (row >= FLIGHT * kRows || !own.has(f)) return;
  float total = shared.sums.warps[row][0];
#pragma unroll
  for (int other = 1; other < kWarps; ++other) {
    total = __fadd_rn(total, shared.sums.warps[row][other]);
  }
  const int64_t block = static_cast<int64_t>(item) * p.blocks + own.first + f * own.stride;
  p.out[block * kRows + row % kRows] = __fmul_rn(total, p.global_scale);
}

// One CTA fills a multiprocessor: its shared memory holds the weights under way.
__global__ void __launch_bounds__(kThreads, 1) wo_stream_kernel(const Problem p) {
  extern __shared__ __align__(128) uint8_t raw[];
  Shared& shared = *reinterpret_cast<Shared*>(raw);
  Blocks own = {static_cast<int>(blockIdx.x), static_cast<int>(gridDim.x), p.blocks};
  const bool asks = threadIdx.x % 32 == 0;
  Raw activations;
  load_activations(p, 0, activations);  // before the weights: first come, first served
  if (asks) {
    for (int f = 0; f < FLIGHT; ++f) {
      asm volatile("mbarrier.init.shared.b64 [%0], 1;" ::"r"(
          shared_address(&shared.landed[f][threadIdx.x / 32])));
    }
    asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
    ask(p, own, shared);
  }
  if (threadIdx.x < 2) shared.activations.zeros[threadIdx.x] = {0, 0, 0, 0};
  for (int phase = 0;; phase ^= 1) {
    for (int item = 0; item < p.items; ++item) {
      convert_activations(activations, shared.activations);
      __syncthreads();
      const bool more = item + 1 < p.items || own.has(FLIGHT);
      if (more) load_activations(p, item + 1 < p.items ? item + 1 : 0, activations);
      project_item(p, item, phase, own, shared);
      // The next item's activations, sums and weights overwrite what is read here.
      if (more) __syncthreads();
    }
    own.first += FLIGHT * own.stride;
    if (!own.has(0)) return;
    if (asks) ask(p, own, shared);
  }
}

void Wo(TensorView attn, TensorView tiles, double global_scale, TensorView out) {
  if (out.ndim() != 2 || out.size(1) % kRows != 0 || out.size(1) > INT32_MAX) {
    TVM_FFI_THROW(ValueError) << "out has shape " << out.shape() << "; its rows come in blocks of "
                              << kRows;
  }
  const int64_t items = out.size(0), rows = out.size(1);
  const DLDevice device = out.device();
  check(attn, "attn", kBfloat16, {items, kColumns}, device);
  check(tiles, "tiles", kUint8, {rows / kRows, kWarps, kChunk}, device);
  check(out, "out", kFloat32, {items, rows}, device);

  const Problem p{data<__nv_bfloat16>(attn), data<uint8_t>(tiles), static_cast<float>(global_scale),
                  static_cast<int>(items), static_cast<int>(rows / kRows), data<float>(out)};
  tvm::ffi::CUDADeviceGuard guard(device.device_id);
  int multiprocessors = 0;
  cudaDeviceGetAttribute(&multiprocessors, cudaDevAttrMultiProcessorCount, device.device_id);
  const int ctas = std::min(p.blocks, multiprocessors);
  auto stream = static_cast<cudaStream_t>(TVMFFIEnvGetStream(device.device_type, device.device_id));
  cudaError_t error = cudaFuncSetAttribute(
      wo_stream_kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, sizeof(Shared));
  if (error == cudaSuccess) {
    wo_stream_kernel<<<ctas, kThreads, sizeof(Shared), stream>>>(p);
    error = cudaGetLastError();
  }
  if (error != cudaSuccess) {
    TVM_FFI_THROW(RuntimeError) << "wo did not launch: " << cudaGetErrorString(error);
  }
}

}  // namespace

TVM_FFI_DLL_EXPORT_TYPED_FUNC(wo, Wo);
