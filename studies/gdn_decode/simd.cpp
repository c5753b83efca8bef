// One decode step on a CPU: the state is read from memory once and written once.
//
// In:  q, k [B,1,4,128] bf16; v [B,1,8,128] bf16; state [B,8,128,128] f32 (V, K); A_log, dt_bias [8]
//      f32; a, b [B,1,8] bf16; scale. Out: output [B,1,8,128] bf16, new_state like state.
// Why: on a CPU, too, the step costs what its bytes cost. Work is cut into slices of V, so that one
//      batch item (1 MB) already feeds every core; a slice never waits for another. Within a slice
//      four rows (2 KB) go through the algebraic single pass of README.md: the first sweep takes
//      k.S and q.S from memory, the second finds the same rows in L1 and writes the new ones. The
//      writes bypass the caches: an ordinary store first reads the line it is about to overwrite
//      (half as much traffic again), and between two steps of a layer the rest of the model passes
//      through the caches, so the new state would not be found there anyway.
// Any x86-64-v3 machine runs it: AVX2 and FMA, asked for per function, so no flag can lose them.

#include <immintrin.h>
#include <tvm/ffi/tvm_ffi.h>

#include <cmath>
#include <cstdint>
#include <cstring>
#include <initializer_list>

namespace {

using tvm::ffi::TensorView;

constexpr int64_t kVHeads = 8;
constexpr int64_t kKHeads = 4;
constexpr int64_t kDim = 128;
constexpr int kLanes = 8;  // Source: floats in a 256-bit register.
// Chosen: 4 rows x (k.S, q.S) are 8 accumulators, which with k, q and the row fit 16 registers.
constexpr int kRows = 4;
// Chosen: 32 slices at B = 1 feed a 32-core machine; smaller ones repeat the conversion of k and q.
constexpr int64_t kSlice = 32;
float widen(uint16_t bits) {
  uint32_t word = uint32_t{bits} << 16;
  float value;
  std::memcpy(&value, &word, sizeof value);
  return value;
}

// To bfloat16, nearest even; a NaN stays one.
uint16_t narrow(float value) {
  uint32_t word;
  std::memcpy(&word, &value, sizeof word);
  if (value != value) return static_cast<uint16_t>((word >> 16) | 0x40);
  return static_cast<uint16_t>((word + 0x7fff + ((word >> 16) & 1)) >> 16);
}

struct Gates {
  float decay, beta, scale, q_dot_k;
};

// softplus(x) = log(1 + exp(x)), without overflow for large x.
float softplus(float x) { return std::fmax(x, 0.0f) + std::log1p(std::exp(-std::fabs(x))); }

float sigmoid(float x) { return 1.0f / (1.0f + std::exp(-x)); }

// Sums of four registers, as one: [sum a, sum b, sum c, sum d].
__attribute__((target("avx2,fma"))) inline __m128 sum4(const __m256* each) {
  __m256 pairs =
      _mm256_hadd_ps(_mm256_hadd_ps(each[0], each[1]), _mm256_hadd_ps(each[2], each[3]));
  return _mm_add_ps(_mm256_castps256_ps128(pairs), _mm256_extractf128_ps(pairs, 1));
}

// Four rows: state, next [4, 128]; v, out [4]; k, q [128] as floats.
__attribute__((target("avx2,fma"))) inline void update_rows(const float* state, float* next,
                                                            const uint16_t* v, uint16_t* out,
                                                            const float* k, const float* q,
                                                            const Gates& gates) {
  __m256 k_state[kRows], q_state[kRows];
#pragma GCC unroll 4
  for (int r = 0; r < kRows; ++r) k_state[r] = q_state[r] = _mm256_setzero_ps();
#pragma GCC unroll 2
  for (int i = 0; i < kDim; i += kLanes) {
    const __m256 ki = _mm256_load_ps(k + i), qi = _mm256_load_ps(q + i);
#pragma GCC unroll 4
    for (int r = 0; r < kRows; ++r) {
      const __m256 s = _mm256_loadu_ps(state + r * kDim + i);
      k_state[r] = _mm256_fmadd_ps(s, ki, k_state[r]);
      q_state[r] = _mm256_fmadd_ps(s, qi, q_state[r]);
    }
  }

  alignas(16) float delta[kRows], output[kRows], value[kRows];
#pragma GCC unroll 4
  for (int r = 0; r < kRows; ++r) value[r] = widen(v[r]);
  const __m128 decay = _mm_set1_ps(gates.decay);
  const __m128 d = _mm_mul_ps(_mm_set1_ps(gates.beta),
                              _mm_fnmadd_ps(decay, sum4(k_state), _mm_load_ps(value)));
  const __m128 read = _mm_fmadd_ps(_mm_set1_ps(gates.q_dot_k), d, _mm_mul_ps(decay, sum4(q_state)));
  _mm_store_ps(delta, d);
  _mm_store_ps(output, _mm_mul_ps(_mm_set1_ps(gates.scale), read));
#pragma GCC unroll 4
  for (int r = 0; r < kRows; ++r) out[r] = narrow(output[r]);

  const __m256 g = _mm256_set1_ps(gates.decay);
  // Row by row, so that each store fills whole cache lines one after another.
#pragma GCC unroll 4
  for (int r = 0; r < kRows; ++r) {
    const __m256 dr = _mm256_set1_ps(delta[r]);
#pragma GCC unroll 8
    for (int i = 0; i < kDim; i += kLanes) {
      const __m256 s = _mm256_mul_ps(g, _mm256_loadu_ps(state + r * kDim + i));
      const __m256 n = _mm256_fmadd_ps(dr, _mm256_load_ps(k + i), s);
      _mm256_stream_ps(next + r * kDim + i, n);
    }
  }
}

struct Problem {
  const uint16_t *q, *k, *v;
  const float *state, *A_log;
  const uint16_t* a;
  const float* dt_bias;
  const uint16_t* b;
  float scale;
  uint16_t* output;
  float* new_state;
};

Gates gates_of(const Problem& p, int64_t item, const float* k, const float* q) {
  const int64_t head = item % kVHeads;
  float dot = 0.0f;
  for (int i = 0; i < kDim; ++i) dot += k[i] * q[i];
  const float rate = std::exp(p.A_log[head]) * softplus(widen(p.a[item]) + p.dt_bias[head]);
  return {std::exp(-rate), sigmoid(widen(p.b[item])), p.scale, dot};
}

// One slice of V of one value head; item = batch * 8 + head.
__attribute__((target("avx2,fma"))) void update_slice(const Problem& p, int64_t item,
                                                      int64_t first) {
  alignas(32) float k[kDim], q[kDim];
  // Value heads 2j and 2j + 1 share key head j, so item / 2 is batch * 4 + j.
  const int64_t source = item / (kVHeads / kKHeads) * kDim;
  for (int i = 0; i < kDim; ++i) k[i] = widen(p.k[source + i]);
  for (int i = 0; i < kDim; ++i) q[i] = widen(p.q[source + i]);
  const Gates gates = gates_of(p, item, k, q);
  for (int64_t row = item * kDim + first; row < item * kDim + first + kSlice; row += kRows) {
    update_rows(p.state + row * kDim, p.new_state + row * kDim, p.v + row, p.output + row, k, q,
                gates);
  }
  // Streamed stores are weakly ordered: settle them before another thread may read.
  _mm_sfence();
}

void update_all(const Problem& p, int64_t items) {
  constexpr int64_t kSlices = kDim / kSlice;
#pragma omp parallel for schedule(static)
  for (int64_t task = 0; task < items * kSlices; ++task) {
    update_slice(p, task / kSlices, task % kSlices * kSlice);
  }
}

void check(TensorView x, const char* name, DLDataType type, std::initializer_list<int64_t> shape) {
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
  if (x.device().device_type != kDLCPU) TVM_FFI_THROW(ValueError) << name << " is not on the CPU";
  if (!x.IsContiguous()) TVM_FFI_THROW(ValueError) << name << " is not contiguous";
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
  check(q, "q", bf16, {batch, 1, kKHeads, kDim});
  check(k, "k", bf16, {batch, 1, kKHeads, kDim});
  check(v, "v", bf16, {batch, 1, kVHeads, kDim});
  check(state, "state", f32, {batch, kVHeads, kDim, kDim});
  check(A_log, "A_log", f32, {kVHeads});
  check(a, "a", bf16, {batch, 1, kVHeads});
  check(dt_bias, "dt_bias", f32, {kVHeads});
  check(b, "b", bf16, {batch, 1, kVHeads});
  check(output, "output", bf16, {batch, 1, kVHeads, kDim});
  check(new_state, "new_state", f32, {batch, kVHeads, kDim, kDim});

  const Problem p{data<uint16_t>(q),      data<uint16_t>(k),  data<uint16_t>(v),
                  data<float>(state),     data<float>(A_log), data<uint16_t>(a),
                  data<float>(dt_bias),   data<uint16_t>(b),  static_cast<float>(scale),
                  data<uint16_t>(output), data<float>(new_state)};
  if (reinterpret_cast<uintptr_t>(p.new_state) % 32 != 0) {
    TVM_FFI_THROW(ValueError) << "new_state starts at an address that 32 does not divide";
  }
  update_all(p, batch * kVHeads);
}

}  // namespace

TVM_FFI_DLL_EXPORT_TYPED_FUNC(gdn_decode, GdnDecode);
