// The split-K projection inside a cooperative grid, to the last bit of split_order in reference.py.
//
// In:  attn [B,6144] bf16; w [H,3072] u8, element 2i in the low nibble of byte i; scales
//      [H/128,96,512] u8, E4M3 in 128x4 tiles; sums [4,4*SPLIT,H] f32, scratch; arrived [1] i64,
//      which counts CTAs for ever; global_scale. Out: out [B,H] f32.
//      CTAS: of the grid. SPLIT: slots of each of the four key/value groups.
// Why: this is how a projection runs at the end of a fused decoder layer, whose grid was chosen by
//      other phases. CTA number s sums slot s for all rows, a thread to a row, column by column;
//      CTAs beyond 4 * SPLIT only wait. A barrier over the grid, then everybody sums slots. It is
//      kept simple on purpose: it shows what the number of working CTAs and the size of the grid
//      cost when each does the same as before.

#include <cuda_fp8.h>
#include <cuda_runtime.h>
#include <tvm/ffi/extra/c_env_api.h>
#include <tvm/ffi/extra/cuda/device_guard.h>

#include <cstdint>

#include "gpu_tensors.h"

namespace {

constexpr int kThreads = 128;  // Source: the audited kernel's.
constexpr int kColumns = 6144;
constexpr int kGroup = 16;                  // columns that share a scale
constexpr int kTile = kColumns / 64 * 512;  // bytes of scales of 128 rows
constexpr int kSlots = 4 * SPLIT;
constexpr int kSlot = kColumns / kSlots;    // columns
static_assert(kSlots <= CTAS, "every slot needs a CTA");
static_assert(kSlot * kSlots == kColumns && kSlot % (2 * kGroup) == 0, "a slot is whole loads");

struct Problem {
  const uint16_t* attn;  // bits of bfloat16
  const uint8_t *w, *scales;
  float* sums;
  unsigned long long* arrived;
  float global_scale;
  int items, rows;
  float* out;
};

// The value of a 4-bit code: sign, two bits of exponent, one of mantissa. In the same fields of a
// float they stand for 2^-126 of it, the subnormal 0.5 included.
__device__ float decode(uint32_t code) {
  return __uint_as_float((code & 8) << 28 | (code & 7) << 22) * 0x1p126f;
}

__device__ float decode_scale(uint8_t code) {
  const __half_raw half = __nv_cvt_fp8_to_halfraw(code, __NV_E4M3);
  return __half2float(half);
}

// Adds eight columns: `codes` of the weights and eight bfloat16 of activations. No operation is
// fused with another: split_order rounds after each.
__device__ float add_eight(uint32_t codes, uint4 attn, float scale, float global_scale, float sum) {
  const uint32_t pairs[4] = {attn.x, attn.y, attn.z, attn.w};
#pragma unroll
  for (int k = 0; k < 8; ++k) {
    const float a = __uint_as_float(k % 2 == 0 ? pairs[k / 2] << 16 : pairs[k / 2] & 0xffff0000);
    const float scaled = __fmul_rn(decode(codes >> (4 * k)), scale);
    sum = __fadd_rn(sum, __fmul_rn(__fmul_rn(scaled, global_scale), a));
  }
  return sum;
}

// The sum of one slot's columns for one row, from left to right.
__device__ float sum_slot(const Problem& p, int item, int slot, int row) {
  const uint8_t* codes = p.w + static_cast<int64_t>(row) * (kColumns / 2);
  const uint8_t* scales = p.scales + static_cast<int64_t>(row >> 7) * kTile + (row & 31) * 16 +
                          ((row >> 5) & 3) * 4;
  const uint16_t* attn = p.attn + item * kColumns;
  float sum = 0.0f;
  for (int k = slot * kSlot; k < (slot + 1) * kSlot; k += 2 * kGroup) {
    const uint4 words = __ldg(reinterpret_cast<const uint4*>(codes + k / 2));
    const uint32_t word[4] = {words.x, words.y, words.z, words.w};
#pragma unroll
    for (int part = 0; part < 4; ++part) {  // two parts of eight columns to a group
      const int group = k / kGroup + part / 2;
      const float scale = decode_scale(__ldg(scales + (group >> 2) * 512 + (group & 3)));
      const uint4 a = __ldg(reinterpret_cast<const uint4*>(attn + k + 8 * part));
      sum = add_eight(word[part], a, scale, p.global_scale, sum);
    }
  }
  return sum;
}

// Returns when all CTAs of this launch are here. The counter only grows: a launch needs no reset by
// another one before it, so a captured graph can be replayed. All CTAs must be resident at once.
__device__ void wait_for_grid(unsigned long long* arrived) {
  __syncthreads();
  if (threadIdx.x == 0) {
    __threadfence();  // this CTA's sums before its arrival
    const unsigned long long ticket = atomicAdd(arrived, 1ull);
    const unsigned long long last = (ticket / CTAS + 1) * CTAS;
    while (*const_cast<volatile unsigned long long*>(arrived) < last) {
    }
    __threadfence();  // the others' arrival before their sums
  }
  __syncthreads();
}

__global__ void __launch_bounds__(kThreads) wo_cooperative_kernel(const Problem p) {
  const int slot = blockIdx.x;
  if (slot < kSlots) {
    for (int item = 0; item < p.items; ++item) {
      float* to = p.sums + static_cast<int64_t>(item * kSlots + slot) * p.rows;
      for (int row = threadIdx.x; row < p.rows; row += kThreads) {
        to[row] = sum_slot(p, item, slot, row);
      }
    }
  }
  wait_for_grid(p.arrived);
  const int first = blockIdx.x * kThreads + threadIdx.x;
  for (int item = 0; item < p.items; ++item) {
    const float* from = p.sums + static_cast<int64_t>(item * kSlots) * p.rows;
    for (int row = first; row < p.rows; row += CTAS * kThreads) {
      // From L2: other multiprocessors wrote these.
      float total = __ldcg(from + row);
      for (int s = 1; s < kSlots; ++s) total = __fadd_rn(total, __ldcg(from + s * p.rows + row));
      p.out[static_cast<int64_t>(item) * p.rows + row] = total;
    }
  }
}

// A CTA that never becomes resident would let the others wait for ever. One fits on each
// multiprocessor, as long as nothing else runs there.
void check_resident(int device) {
  int count = 0;
  cudaDeviceGetAttribute(&count, cudaDevAttrMultiProcessorCount, device);
  if (count < CTAS) {
    TVM_FFI_THROW(ValueError) << "a grid of " << CTAS << " CTAs waits for itself on a GPU of "
                              << count << " multiprocessors; build it with a smaller CTAS";
  }
}

void Wo(TensorView attn, TensorView w, TensorView scales, TensorView sums, TensorView arrived,
        double global_scale, TensorView out) {
  if (attn.ndim() != 2 || sums.ndim() != 3 || attn.size(0) > sums.size(0)) {
    TVM_FFI_THROW(ValueError) << "attn has shape " << attn.shape() << " and sums "
                              << sums.shape() << "; sums must have room for each item of attn";
  }
  if (w.ndim() != 2 || w.size(0) % 128 != 0 || w.size(0) > INT32_MAX / kSlots) {
    TVM_FFI_THROW(ValueError) << "w has shape " << w.shape()
                              << "; its rows must be a multiple of 128, as the scales' tiles are";
  }
  const int64_t items = attn.size(0), rows = w.size(0);
  const DLDevice device = w.device();
  check(attn, "attn", kBfloat16, {items, kColumns}, device);
  check(w, "w", kUint8, {rows, kColumns / 2}, device);
  check(scales, "scales", kUint8, {rows / 128, kColumns / 64, 512}, device);
  check(sums, "sums", kFloat32, {sums.size(0), kSlots, rows}, device);
  check(arrived, "arrived", kInt64, {1}, device);
  check(out, "out", kFloat32, {items, rows}, device);
  check_resident(device.device_id);

  const Problem p{data<uint16_t>(attn), data<uint8_t>(w), data<uint8_t>(scales),
                  data<float>(sums), data<unsigned long long>(arrived),
                  static_cast<float>(global_scale), static_cast<int>(items),
                  static_cast<int>(rows), data<float>(out)};
  tvm::ffi::CUDADeviceGuard guard(device.device_id);
  auto stream = static_cast<cudaStream_t>(TVMFFIEnvGetStream(device.device_type, device.device_id));
  wo_cooperative_kernel<<<CTAS, kThreads, 0, stream>>>(p);
  const cudaError_t error = cudaGetLastError();
  if (error != cudaSuccess) {
    TVM_FFI_THROW(RuntimeError) << "wo did not launch: " << cudaGetErrorString(error);
  }
}

}  // namespace

TVM_FFI_DLL_EXPORT_TYPED_FUNC(wo, Wo);
