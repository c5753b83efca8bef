// One decode step on a Hopper GPU: the state is read from memory once and written once.
//
// In:  q, k [B,1,4,128] bf16; v [B,1,8,128] bf16; state [B,8,128,128] f32 (V, K); A_log, dt_bias [8]
//      f32; a, b [B,1,8] bf16; scale. Out: output [B,1,8,128] bf16, new_state like state.
// Why: the step moves 1 MB per batch item and computes almost nothing, so all that counts is how
//      many bytes are in flight, and how soon. Each thread asks for the gates, q, k and v, then for
//      all of its state, before it needs any of it; the gates, the longest chain of operations, are
//      ready when the state comes. The state stays in registers through the algebraic single pass of
//      README.md and is written once.
//
// Layout: 8 lanes share a row of 128 columns. In step j lane l holds columns 32j + 4l ... + 3, so one
// 16-byte load per lane covers four rows of a warp, one full 128-byte line each, and a row's sum
// needs three shuffles, for four rows at a time. (One row per warp would need five for each row.)

#include <cuda_bf16.h>
#include <cuda_runtime.h>
#include <tvm/ffi/extra/c_env_api.h>
#include <tvm/ffi/extra/cuda/device_guard.h>
#include <tvm/ffi/tvm_ffi.h>

#include <cstdint>
#include <initializer_list>

// The launch from B = 32 on, as params of the solution: warps of a block, sets of four rows of a warp,
// the blocks that a multiprocessor must hold at once, which bounds the registers of a thread (0: as
// many as it takes), and which accesses of the state the caches are told to forget first (1 loads, 2
// stores, 3 both). What they may be is found with `roofmark loop --search`.
#ifndef WARPS
#define WARPS 4
#endif
#ifndef SETS
#define SETS 2
#endif
#ifndef CTAS
#define CTAS 0
#endif
#ifndef FORGET
#define FORGET 1
#endif

namespace {

using tvm::ffi::TensorView;

constexpr int kVHeads = 8;
constexpr int kKHeads = 4;
constexpr int kDim = 128;
constexpr int kLanes = 8;                          // lanes that share a row
constexpr int kRowsPerLoad = 32 / kLanes;          // rows that one load of a warp covers
constexpr int kLoads = kDim / (4 * kLanes);        // 16-byte loads per lane and row

struct Problem {
  const __nv_bfloat16 *q, *k, *v;
  const float *state, *A_log;
  const __nv_bfloat16* a;
  const float* dt_bias;
  const __nv_bfloat16* b;
  float scale;
  __nv_bfloat16* output;
  float* new_state;
};

__device__ float dot(float4 x, float4 y, float sum) {
  return fmaf(x.x, y.x, fmaf(x.y, y.y, fmaf(x.z, y.z, fmaf(x.w, y.w, sum))));
}

// Sum over the lanes of one row; every one of them gets it.
__device__ float sum_row(float x) {
#pragma unroll
  for (int step = kLanes / 2; step > 0; step /= 2) x += __shfl_xor_sync(0xffffffff, x, step);
  return x;
}

// What is asked for first comes first; volatile, so that the compiler leaves it at that.
__device__ float load_first(const float* from) {
  float x;
  asm volatile("ld.global.nc.f32 %0, [%1];" : "=f"(x) : "l"(from));
  return x;
}
__device__ float load_first(const __nv_bfloat16* from) {
  uint16_t x;
  asm volatile("ld.global.nc.u16 %0, [%1];" : "=h"(x) : "l"(from));
  return __uint_as_float(static_cast<uint32_t>(x) << 16);
}
__device__ uint2 load_four(const __nv_bfloat16* from) {  // 8-byte aligned
  uint2 x;
  asm volatile("ld.global.nc.v2.u32 {%0, %1}, [%2];" : "=r"(x.x), "=r"(x.y) : "l"(from));
  return x;
}

// The state is read once and written once. kForget: see FORGET. Addresses are 16-byte aligned.
template <int kForget>
__device__ float4 load_state(const float* from) {
  const auto* x = reinterpret_cast<const float4*>(from);
  return kForget & 1 ? __ldcs(x) : *x;
}
template <int kForget>
__device__ void store_state(float* to, float4 x) {
  auto* y = reinterpret_cast<float4*>(to);
  if (kForget & 2) {
    __stcs(y, x);
  } else {
    *y = x;
  }
}

__device__ float4 widen(uint2 raw) {
  return {__uint_as_float(raw.x << 16), __uint_as_float(raw.x & 0xffff0000),
          __uint_as_float(raw.y << 16), __uint_as_float(raw.y & 0xffff0000)};
}

// log(1 + exp(x)), without overflow for large x. The fast functions have no branch, which would hold
// up the loads that are asked for after it; by their bounds in the CUDA programming guide the second term
// is off by less than 5e-7.
__device__ float softplus(float x) { return fmaxf(x, 0.0f) + __logf(1.0f + __expf(-fabsf(x))); }

// kWarps: warps of a block. kSets: sets of four rows that a warp holds at once; each adds four
// 16-byte loads in flight per lane, and 16 registers. kBlocks, kForget: see CTAS, FORGET.
template <int kWarps, int kSets, int kBlocks, int kForget>
__global__ void __launch_bounds__(32 * kWarps, kBlocks) gdn_decode_kernel(const Problem p) {
  constexpr int kRows = kWarps * kSets * kRowsPerLoad;  // rows of V of one block
  constexpr int kSlices = kDim / kRows;
  static_assert(kDim % kRows == 0, "a block's rows belong to one head");
  const int lane = threadIdx.x % 32;
  const int64_t item = blockIdx.x / kSlices;  // batch * 8 + value head
  const int head = static_cast<int>(item % kVHeads);
  // 64 bits from here on: at B = 4096 the state has more elements than an int can count.
  const int64_t first = item * kDim + blockIdx.x % kSlices * kRows +
                        threadIdx.x / 32 * (kSets * kRowsPerLoad) + lane / kLanes;
  const int column = lane % kLanes * 4;

  // Value heads 2j and 2j + 1 share key head j, so item / 2 is batch * 4 + j.
  const int64_t source = item / (kVHeads / kKHeads) * kDim + column;
  const float gate = load_first(p.a + item), bias = load_first(p.dt_bias + head);
  const float log_rate = load_first(p.A_log + head), write = load_first(p.b + item);
  uint2 raw_k[kLoads], raw_q[kLoads];
#pragma unroll
  for (int j = 0; j < kLoads; ++j) {
    raw_k[j] = load_four(p.k + source + j * 4 * kLanes);
    raw_q[j] = load_four(p.q + source + j * 4 * kLanes);
  }
  float v[kSets];
#pragma unroll
  for (int set = 0; set < kSets; ++set) v[set] = load_first(p.v + first + set * kRowsPerLoad);

  float4 s[kSets][kLoads];
#pragma unroll
  for (int set = 0; set < kSets; ++set) {
    const float* row = p.state + (first + set * kRowsPerLoad) * kDim + column;
#pragma unroll
    for (int j = 0; j < kLoads; ++j) s[set][j] = load_state<kForget>(row + j * 4 * kLanes);
  }

  const float decay = __expf(-__expf(log_rate) * softplus(gate + bias));
  const float beta = __fdividef(1.0f, 1.0f + __expf(-write));
  float4 k[kLoads], q[kLoads];
#pragma unroll
  for (int j = 0; j < kLoads; ++j) {
    k[j] = widen(raw_k[j]);
    q[j] = widen(raw_q[j]);
  }
  float q_dot_k = 0.0f;
#pragma unroll
  for (int j = 0; j < kLoads; ++j) q_dot_k = dot(q[j], k[j], q_dot_k);
  q_dot_k = sum_row(q_dot_k);

#pragma unroll
  for (int set = 0; set < kSets; ++set) {
    float k_state = 0.0f, q_state = 0.0f;
#pragma unroll
    for (int j = 0; j < kLoads; ++j) {
      k_state = dot(s[set][j], k[j], k_state);
      q_state = dot(s[set][j], q[j], q_state);
    }
    k_state = sum_row(k_state);
    q_state = sum_row(q_state);
    const float delta = beta * (v[set] - decay * k_state);
    const int64_t row = first + set * kRowsPerLoad;
    if (column == 0) {
      p.output[row] = __float2bfloat16_rn(p.scale * (decay * q_state + q_dot_k * delta));
    }
    float* to = p.new_state + row * kDim + column;
#pragma unroll
    for (int j = 0; j < kLoads; ++j) {
      const float4 old = s[set][j];
      const float4 next = {fmaf(delta, k[j].x, decay * old.x), fmaf(delta, k[j].y, decay * old.y),
                           fmaf(delta, k[j].z, decay * old.z), fmaf(delta, k[j].w, decay * old.w)};
      store_state<kForget>(to + j * 4 * kLanes, next);
    }
  }
}

template <int kWarps, int kSets, int kBlocks, int kForget>
void launch(const Problem& p, int64_t items, cudaStream_t stream) {
  constexpr int64_t kSlices = kDim / (kWarps * kSets * kRowsPerLoad);
  const int64_t blocks = items * kSlices;
  if (blocks > INT32_MAX) TVM_FFI_THROW(ValueError) << blocks << " blocks exceed the largest grid";
  gdn_decode_kernel<kWarps, kSets, kBlocks, kForget>
      <<<static_cast<unsigned>(blocks), 32 * kWarps, 0, stream>>>(p);
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
  if (x.device().device_type != kDLCUDA) TVM_FFI_THROW(ValueError) << name << " is not on a GPU";
  // The launch is on state's GPU; an address of another one would fault there, or cross the bus.
  if (x.device().device_id != device.device_id) {
    TVM_FFI_THROW(ValueError) << name << " is on GPU " << x.device().device_id << ", but state is on "
                              << device.device_id;
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

void GdnDecode(TensorView q, TensorView k, TensorView v, TensorView state, TensorView A_log,
               TensorView a, TensorView dt_bias, TensorView b, double scale, TensorView output,
               TensorView new_state) {
  constexpr DLDataType bf16{kDLBfloat, 16, 1}, f32{kDLFloat, 32, 1};
  if (state.ndim() != 4) TVM_FFI_THROW(ValueError) << "state has shape " << state.shape();
  const int64_t batch = state.size(0);
  if (batch < 1) TVM_FFI_THROW(ValueError) << "the batch is empty";
  const DLDevice device = state.device();
  check(q, "q", bf16, {batch, 1, kKHeads, kDim}, device);
  check(k, "k", bf16, {batch, 1, kKHeads, kDim}, device);
  check(v, "v", bf16, {batch, 1, kVHeads, kDim}, device);
  check(state, "state", f32, {batch, kVHeads, kDim, kDim}, device);
  check(A_log, "A_log", f32, {kVHeads}, device);
  check(a, "a", bf16, {batch, 1, kVHeads}, device);
  check(dt_bias, "dt_bias", f32, {kVHeads}, device);
  check(b, "b", bf16, {batch, 1, kVHeads}, device);
  check(output, "output", bf16, {batch, 1, kVHeads, kDim}, device);
  check(new_state, "new_state", f32, {batch, kVHeads, kDim, kDim}, device);

  using bf16_t = __nv_bfloat16;
  const Problem p{data<bf16_t>(q),       data<bf16_t>(k),    data<bf16_t>(v), data<float>(state),
                  data<float>(A_log),    data<bf16_t>(a),    data<float>(dt_bias),
                  data<bf16_t>(b),       static_cast<float>(scale),
                  data<bf16_t>(output),  data<float>(new_state)};
  tvm::ffi::CUDADeviceGuard guard(device.device_id);
  auto stream = static_cast<cudaStream_t>(TVMFFIEnvGetStream(device.device_type, device.device_id));
  const int64_t items = batch * kVHeads;
  // Chosen: below B = 4 blocks of 8 rows, 128 per batch item, give every multiprocessor one. From
  // there on blocks of 16 rows: of 8 to 64 rows they were the fastest, by up to 10 % at B = 4 to 16.
  // From B = 32 on a search found twice the rows, and stores that stay in L2 as long as others.
  if (batch < 4) {
    launch<2, 1, 0, 3>(p, items, stream);
  } else if (batch < 32) {
    launch<4, 1, 0, 3>(p, items, stream);
  } else {
    launch<WARPS, SETS, CTAS, FORGET>(p, items, stream);
  }
  const cudaError_t error = cudaGetLastError();
  if (error != cudaSuccess) {
    TVM_FFI_THROW(RuntimeError) << "gdn_decode did not launch: " << cudaGetErrorString(error);
  }
}

}  // namespace

TVM_FFI_DLL_EXPORT_TYPED_FUNC(gdn_decode, GdnDecode);
