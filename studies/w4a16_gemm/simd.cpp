// y = x W^T with W in int4 on a CPU: every weight is read from memory once, in half a byte.
//
// In:  x [M, K] f16; packed [N, K/2], byte i of a group of 128 columns with columns i (low nibble) and
//      i + 64; group_scales [K/128, N] f16. Out: y [M, N] f16. A weight is (q - 8) * scale.
// Why: with few tokens the product costs what its bytes cost. Eight bytes become sixteen weights in
//      two registers, which eight tokens share before the next eight bytes are touched.
// Any x86-64-v3 machine runs it: AVX2, FMA and F16C, asked for per function.

#include <immintrin.h>
#include <tvm/ffi/tvm_ffi.h>

#include <algorithm>
#include <cstdint>
#include <initializer_list>
#include <vector>

namespace {

using tvm::ffi::TensorView;

constexpr int64_t kGroup = 128;  // columns that share a scale
constexpr int64_t kHalf = kGroup / 2;
constexpr int64_t kLanes = 8;  // Source: floats in a 256-bit register.
// Chosen: 8 tokens are 8 sums and two registers of weights; more would not fit 16 registers.
constexpr int64_t kTokens = 8;

// All of x as floats: [tokens][columns].
__attribute__((target("avx2,f16c"))) std::vector<float> widen(const uint16_t* x, int64_t count) {
  std::vector<float> wide(count);  // K is a multiple of 128, so no tail is left
  for (int64_t i = 0; i < count; i += kLanes) {
    const __m128i raw = _mm_loadu_si128(reinterpret_cast<const __m128i*>(x + i));
    _mm256_storeu_ps(wide.data() + i, _mm256_cvtph_ps(raw));
  }
  return wide;
}

__attribute__((target("avx2"))) float sum_lanes(__m256 v) {
  __m128 s = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
  s = _mm_add_ps(s, _mm_movehl_ps(s, s));
  return _mm_cvtss_f32(_mm_add_ss(s, _mm_movehdup_ps(s)));
}

// One row of W times kCount tokens. out: [kCount], `stride` apart.
template <int kCount>
__attribute__((target("avx2,fma,f16c"))) void multiply_row(const uint8_t* row, const uint16_t* scales,
                                                          int64_t rows, const float* x,
                                                          int64_t columns, uint16_t* out) {
  const __m256i mask = _mm256_set1_epi32(15), eight = _mm256_set1_epi32(8);
  __m256 total[kCount];
  for (int m = 0; m < kCount; ++m) total[m] = _mm256_setzero_ps();
  for (int64_t group = 0; group < columns / kGroup; ++group) {
    __m256 part[kCount];
    for (int m = 0; m < kCount; ++m) part[m] = _mm256_setzero_ps();
    for (int64_t i = 0; i < kHalf; i += kLanes) {
      const __m128i bytes = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(row + group * kHalf + i));
      const __m256i both = _mm256_cvtepu8_epi32(bytes);
      const __m256 low = _mm256_cvtepi32_ps(_mm256_sub_epi32(_mm256_and_si256(both, mask), eight));
      const __m256 high = _mm256_cvtepi32_ps(_mm256_sub_epi32(_mm256_srli_epi32(both, 4), eight));
      for (int m = 0; m < kCount; ++m) {
        const float* at = x + m * columns + group * kGroup + i;
        part[m] = _mm256_fmadd_ps(low, _mm256_loadu_ps(at), part[m]);
        part[m] = _mm256_fmadd_ps(high, _mm256_loadu_ps(at + kHalf), part[m]);
      }
    }
    const __m256 scale = _mm256_set1_ps(_cvtsh_ss(scales[group * rows]));
    for (int m = 0; m < kCount; ++m) total[m] = _mm256_fmadd_ps(scale, part[m], total[m]);
  }
  for (int m = 0; m < kCount; ++m) out[m * rows] = _cvtss_sh(sum_lanes(total[m]), 0);
}

using Row = void (*)(const uint8_t*, const uint16_t*, int64_t, const float*, int64_t, uint16_t*);
constexpr Row kRows[] = {multiply_row<1>, multiply_row<2>, multiply_row<3>, multiply_row<4>,
                         multiply_row<5>, multiply_row<6>, multiply_row<7>, multiply_row<8>};

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
  if (x.device().device_type != kDLCPU) TVM_FFI_THROW(ValueError) << name << " is not on the host";
  if (!x.IsContiguous()) TVM_FFI_THROW(ValueError) << name << " is not contiguous";
}

template <typename T>
T* data(TensorView x) {
  return reinterpret_cast<T*>(static_cast<char*>(x.data_ptr()) + x.byte_offset());
}

void W4A16Gemm(TensorView x, TensorView packed, TensorView group_scales, TensorView y) {
  constexpr DLDataType f16{kDLFloat, 16, 1}, u8{kDLUInt, 8, 1};
  if (x.ndim() != 2 || y.ndim() != 2) TVM_FFI_THROW(ValueError) << "x and y must have two axes";
  const int64_t tokens = x.size(0), columns = x.size(1), rows = y.size(1);
  if (columns % kGroup != 0) TVM_FFI_THROW(ValueError) << "K is " << columns << ", no multiple of 128";
  check(x, "x", f16, {tokens, columns});
  check(packed, "packed", u8, {rows, columns / 2});
  check(group_scales, "group_scales", f16, {columns / kGroup, rows});
  check(y, "y", f16, {tokens, rows});
  const std::vector<float> wide = widen(data<uint16_t>(x), tokens * columns);
  const uint8_t* weights = data<uint8_t>(packed);
  const uint16_t* scales = data<uint16_t>(group_scales);
  uint16_t* out = data<uint16_t>(y);
#pragma omp parallel for schedule(static)
  for (int64_t row = 0; row < rows; ++row) {
    for (int64_t m = 0; m < tokens; m += kTokens) {
      const int64_t count = std::min(kTokens, tokens - m);
      kRows[count - 1](weights + row * (columns / 2), scales + row, rows, wide.data() + m * columns,
                       columns, out + m * rows + row);
    }
  }
}

}  // namespace

TVM_FFI_DLL_EXPORT_TYPED_FUNC(w4a16_gemm, W4A16Gemm);
