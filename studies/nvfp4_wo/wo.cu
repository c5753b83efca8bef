// The projection at the speed of memory, to the last bit of grouped_order in reference.py.
//
// In:  attn [B,6144] bf16; tiles [H/16,CLUSTER,12,576*steps] u8 from `streamed` in prepare.py:
//      codes and scales as the lanes of a warp read them; global_scale. Out: out [B,H] f32.
//      CLUSTER: CTAs that share 16 rows: two, with half of the columns each, or one. FLIGHT: blocks
//      of 16 rows that a CTA asks for before it uses the first of them.
// Why: 17.7 MB take 4 us, over before a loop that loads, computes and loads again finds its rhythm.
//      So every CTA asks for its whole share at once, into registers, and meanwhile prepares the
//      activations. Nor must arithmetic take the time: turning 31 million codes into floats would.
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
constexpr int kWarps = 12;  // Chosen: each has 8 / CLUSTER whole steps of a block.
constexpr int kThreads = 32 * kWarps;
constexpr int kSteps = kColumns / (4 * kGroup * kWarps * CLUSTER);  // of a warp, in a block
constexpr int kGroups = 4 * kSteps * kWarps;                        // of a CTA
constexpr int kChunk = kSteps * 32 * (16 + 2);  // bytes of codes and scales of a warp, in a block
static_assert(kSteps == 8 || kSteps == 4, "CLUSTER is 1 or 2");
static_assert(FLIGHT * kRows <= kThreads, "one thread sums a row");

struct Problem {
  const __nv_bfloat16* attn;
  const uint8_t* tiles;
  float global_scale;
  int items, blocks;
  float* out;
};

// What a lane holds of a block: 16 codes each of rows r and r + 8 per step, and their scales.
struct Share {
  uint4 codes[kSteps];
  uint2 scales[kSteps / 4];
};

// A CTA's activations. bytes: for each group [high, low] bytes of integers [as they are, negated].
struct Activations {
  uint4 bytes[kGroups][2][2];
  uint4 zeros[2];
  float unit[kGroups];
};

// Read once and never again: kept out of L1, while L2 fetches what follows. Relaxed, because the
// compiler keeps the order of such loads; with a predicate, because a branch would break their row.
__device__ void stream(const void* from, bool wanted, uint4& to) {
  asm volatile(
      "{ .reg .pred p;\n"
      "  setp.ne.u32 p, %5, 0;\n"
      "  @p ld.relaxed.gpu.global.L1::no_allocate.L2::256B.v4.u32 {%0, %1, %2, %3}, [%4]; }"
      : "=r"(to.x), "=r"(to.y), "=r"(to.z), "=r"(to.w)
      : "l"(from), "r"(static_cast<uint32_t>(wanted)));
}
__device__ void stream(const void* from, bool wanted, uint2& to) {
  asm volatile(
      "{ .reg .pred p;\n"
      "  setp.ne.u32 p, %3, 0;\n"
      "  @p ld.relaxed.gpu.global.L1::no_allocate.v2.u32 {%0, %1}, [%2]; }"
      : "=r"(to.x), "=r"(to.y)
      : "l"(from), "r"(static_cast<uint32_t>(wanted)));
}

// A CTA's blocks of rows: first, first + stride, ..., as long as there are any.
struct Blocks {
  int part, first, stride, end;
  __device__ bool has(int f) const { return first + f * stride < end; }
};

// Asks for everything, in the order in which it will be used.
__device__ void load_shares(const Problem& p, const Blocks& own, Share (&shares)[FLIGHT]) {
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  const uint32_t piece = (own.first * CLUSTER + own.part) * kWarps + warp;
  const uint32_t first = piece * kChunk + lane * 16;
  const uint32_t stride = own.stride * (CLUSTER * kWarps * kChunk);
#pragma unroll
  for (int f = 0; f < FLIGHT; ++f) {
    const bool wanted = f == 0 || own.has(f);
    const uint8_t* from = p.tiles + (first + f * stride);
    const uint8_t* scales = from + (kSteps * 512 + lane * (2 * kSteps - 16));
#pragma unroll
    for (int i = 0; i < kSteps / 4; ++i) stream(scales + i * 8, wanted, shares[f].scales[i]);
#pragma unroll
    for (int s = 0; s < kSteps; ++s) stream(from + s * 512, wanted, shares[f].codes[s]);
  }
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
__device__ float2 sum_share(const Share& share, const Columns& columns) {
  float2 sum = {0.0f, 0.0f};
#pragma unroll
  for (int s = 0; s < kSteps; ++s) {
    const uint32_t scales = s / 2 % 2 == 0 ? share.scales[s / 4].x : share.scales[s / 4].y;
    const float2 term = sum_step(share.codes[s], scales >> (16 * (s % 2)), columns, s);
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

__device__ void load_activations(const Problem& p, int item, int part, Raw& raw) {
  const auto* from =
      reinterpret_cast<const uint4*>(p.attn + item * kColumns + part * (kGroups * kGroup));
#pragma unroll
  for (int turn = 0; turn < kTurns; ++turn) {
    stream(from + turn * kThreads + threadIdx.x, true, raw[turn]);
  }
}

__device__ void convert_activations(const Raw& raw, Activations& to) {
#pragma unroll
  for (int turn = 0; turn < kTurns; ++turn) {
    convert_half(raw[turn], turn * kThreads + threadIdx.x, to);
  }
}

struct Sums {
  float warps[FLIGHT * kRows][kWarps + 1];  // one more, so that rows start in different banks
  float second[FLIGHT * kRows];             // in the first CTA of a cluster: the other's sums
  uint64_t landed;                          // an mbarrier that counts their bytes
};

__device__ uint32_t shared_address(const void* at) {
  return static_cast<uint32_t>(__cvta_generic_to_shared(at));
}

// The cluster meets before the first CTA's sums are written and before they are written again:
// everybody arrives, and waits where it must. The first meeting publishes the mbarrier.
__device__ void open_cluster(Sums& sums) {
  if constexpr (CLUSTER == 1) return;
  if (threadIdx.x == 0) {
    asm volatile("mbarrier.init.shared.b64 [%0], 1;" ::"r"(shared_address(&sums.landed)));
    asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
  }
  __syncwarp();
  asm volatile("barrier.cluster.arrive.relaxed.aligned;" ::: "memory");
}
__device__ void arrive() {
  if (CLUSTER > 1) asm volatile("barrier.cluster.arrive.release.aligned;" ::: "memory");
}
__device__ void wait() {
  if (CLUSTER > 1) asm volatile("barrier.cluster.wait.acquire.aligned;" ::: "memory");
}

// Sends a row's sum to the cluster's first CTA and tells the mbarrier there. A barrier over the
// cluster would do, but it brings along a fence that reaches over the whole GPU.
__device__ void send_to_first(Sums& sums, int row, float value) {
  uint32_t to = shared_address(&sums.second[row]), landed = shared_address(&sums.landed);
  asm volatile("mapa.shared::cluster.u32 %0, %0, 0;" : "+r"(to));
  asm volatile("mapa.shared::cluster.u32 %0, %0, 0;" : "+r"(landed));
  asm volatile(
      "st.async.weak.shared::cluster.mbarrier::complete_tx::bytes.b32 [%0], %1, [%2];" ::"r"(to),
      "r"(__float_as_uint(value)), "r"(landed)
      : "memory");
}

// Returns when the second CTA's sums have landed. phase: alternates from one wait to the next.
__device__ void wait_for_second(Sums& sums, int phase) {
  const uint32_t landed = shared_address(&sums.landed), bytes = sizeof sums.second;
  if (threadIdx.x == 0) {
    asm volatile("mbarrier.arrive.expect_tx.shared.b64 _, [%0], %1;" ::"r"(landed), "r"(bytes)
                 : "memory");
  }
  uint32_t done = 0;
  while (done == 0) {
    asm volatile(
        "{ .reg .pred p;\n"
        "  mbarrier.try_wait.parity.acquire.cluster.shared::cta.b64 p, [%1], %2;\n"
        "  selp.u32 %0, 1, 0, p; }"
        : "=r"(done)
        : "r"(landed), "r"(phase)
        : "memory");
  }
}

// One batch item. Thread number `row` ends up with that row's sum.
__device__ void project_item(const Problem& p, int item, int phase, const Blocks& own,
                             const Share (&shares)[FLIGHT], const Activations& activations,
                             Sums& sums) {
  const Columns columns = find_columns(activations);
#pragma unroll
  for (int f = 0; f < FLIGHT; ++f) {
    const float2 both = sum_share(shares[f], columns);
    const float2 sum = {sum_lanes(both.x), sum_lanes(both.y)};
    if (threadIdx.x % 4 == 0) {
      const int row = f * kRows + threadIdx.x % 32 / 4;
      sums.warps[row][threadIdx.x / 32] = sum.x;
      sums.warps[row + 8][threadIdx.x / 32] = sum.y;
    }
  }
  __syncthreads();
  wait();
  const int row = threadIdx.x, f = row / kRows;
  if (row >= FLIGHT * kRows) return;
  float total = sums.warps[row][0];
#pragma unroll
  for (int warp = 1; warp < kWarps; ++warp) total = __fadd_rn(total, sums.warps[row][warp]);
  if (own.part > 0) return send_to_first(sums, row, total);
  if constexpr (CLUSTER > 1) {
    wait_for_second(sums, phase);
    total = __fadd_rn(total, sums.second[row]);
  }
  if (!own.has(f)) return;
  const int64_t block = static_cast<int64_t>(item) * p.blocks + own.first + f * own.stride;
  p.out[block * kRows + row % kRows] = __fmul_rn(total, p.global_scale);
}

// One CTA fills a multiprocessor: nearly all of its registers hold weights under way.
__global__ void __cluster_dims__(CLUSTER, 1, 1) __launch_bounds__(kThreads, 1)
    wo_stream_kernel(const Problem p) {
  __shared__ Activations activations;
  __shared__ Sums sums;
  if (threadIdx.x < 2) activations.zeros[threadIdx.x] = {0, 0, 0, 0};
  Blocks own = {static_cast<int>(blockIdx.x % CLUSTER), static_cast<int>(blockIdx.x / CLUSTER),
                static_cast<int>(gridDim.x / CLUSTER), p.blocks};
  Raw raw;
  Share shares[FLIGHT];
  auto load = [&] {
    load_activations(p, 0, own.part, raw);  // before the weights: first come, first served
    load_shares(p, own, shares);
  };
  load();
  open_cluster(sums);
  for (int phase = 0;;) {
    for (int item = 0; item < p.items; ++item, phase ^= 1) {
      // Not ahead: the registers are full, and the kernel is made for one item.
      if (item > 0) load_activations(p, item, own.part, raw);
      convert_activations(raw, activations);
      __syncthreads();
      project_item(p, item, phase, own, shares, activations, sums);
      __syncthreads();
      if (item + 1 < p.items || own.has(FLIGHT)) arrive();
    }
    own.first += FLIGHT * own.stride;
    if (!own.has(0)) return;
    load();
  }
}

void Wo(TensorView attn, TensorView tiles, double global_scale, TensorView out) {
  // Offsets into the tiles have 32 bits.
  if (out.ndim() != 2 || out.size(1) % kRows != 0 || out.size(1) > 1 << 20) {
    TVM_FFI_THROW(ValueError) << "out has shape " << out.shape() << "; its rows come in blocks of "
                              << kRows << " and are at most 1048576";
  }
  const int64_t items = out.size(0), rows = out.size(1);
  const DLDevice device = out.device();
  check(attn, "attn", kBfloat16, {items, kColumns}, device);
  check(tiles, "tiles", kUint8, {rows / kRows, CLUSTER, kWarps, kChunk}, device);
  check(out, "out", kFloat32, {items, rows}, device);

  const Problem p{data<__nv_bfloat16>(attn), data<uint8_t>(tiles), static_cast<float>(global_scale),
                  static_cast<int>(items), static_cast<int>(rows / kRows), data<float>(out)};
  tvm::ffi::CUDADeviceGuard guard(device.device_id);
  int multiprocessors = 0;
  cudaDeviceGetAttribute(&multiprocessors, cudaDevAttrMultiProcessorCount, device.device_id);
  const int clusters = std::min(p.blocks, std::max(1, multiprocessors / CLUSTER));
  auto stream = static_cast<cudaStream_t>(TVMFFIEnvGetStream(device.device_type, device.device_id));
  wo_stream_kernel<<<clusters * CLUSTER, kThreads, 0, stream>>>(p);
  const cudaError_t error = cudaGetLastError();
  if (error != cudaSuccess) {
    TVM_FFI_THROW(RuntimeError) << "wo did not launch: " << cudaGetErrorString(error);
  }
}

}  // namespace

TVM_FFI_DLL_EXPORT_TYPED_FUNC(wo, Wo);
