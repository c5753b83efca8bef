// The split-K projection on a CPU, to the last bit of split_order in reference.py.
//
// In:  attn [B,6144] bf16; w [H,3072] u8, element 2i in the low nibble of byte i; scales
//      [H/128,96,512] u8, E4M3 in 128x4 tiles; global_scale. Out: out [B,H] f32.
//      SPLIT: slots of each of the four key/value groups.
// Why: a sum along k may not be reordered, so vectors lie across rows: eight rows to a register,
//      four registers at once, as one chain of additions alone would wait for its own latency.
//      One gather fetches the next eight codes of eight rows; a permutation looks eight values up.
// Must be compiled with -ffp-contract=off: a fused multiply-add rounds once, split_order twice.

#include <immintrin.h>
#include <tvm/ffi/tvm_ffi.h>

#include <array>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <vector>

namespace {

using tvm::ffi::TensorView;

constexpr int64_t kColumns = 6144;             // K
constexpr int kGroup = 16;                     // columns that share a scale
constexpr int64_t kTile = kColumns / 64 * 512;  // bytes of scales of 128 rows
constexpr int kSlots = 4 * SPLIT;
constexpr int64_t kSlot = kColumns / kSlots;
static_assert(kSlot * kSlots == kColumns && kSlot % kGroup == 0, "a slot is whole groups");
constexpr int kLanes = 8;                      // Source: floats in a 256-bit register.
// Chosen: four chains of additions hide the latency of one (4 cycles, two ports).
constexpr int kVectors = 4;
constexpr int64_t kRows = kLanes * kVectors;

// Source: E4M3, OCP Microscaling Formats 1.0: exponent bias 7, 0x7f and 0xff are NaN.
std::array<float, 256> make_e4m3() {
  std::array<float, 256> table;
  for (int code = 0; code < 256; ++code) {
    const int exponent = (code >> 3) & 15, mantissa = code & 7;
    const float value = exponent == 0 ? std::ldexp(static_cast<float>(mantissa), -9)
                                      : std::ldexp(static_cast<float>(8 + mantissa), exponent - 10);
    table[code] = (code & 0x7f) == 0x7f ? NAN : code < 128 ? value : -value;
  }
  return table;
}
const std::array<float, 256> kE4M3 = make_e4m3();

struct Problem {
  const float* attn;  // [B, K], widened
  const uint8_t *w, *scales;
  float global_scale;
  int64_t rows;
  float* out;
};

// The scales of one group of columns for eight rows, which lie 16 bytes apart in a tile.
__attribute__((target("avx2"))) inline __m256 scales_of(const Problem& p, int64_t row,
                                                        int64_t group) {
  const uint8_t* first = p.scales + (row >> 7) * kTile + (group >> 2) * 512 + (row & 31) * 16 +
                         ((row >> 5) & 3) * 4 + (group & 3);
  const float* t = kE4M3.data();
  return _mm256_setr_ps(t[first[0]], t[first[16]], t[first[32]], t[first[48]], t[first[64]],
                        t[first[80]], t[first[96]], t[first[112]]);
}

// Adds one group of 16 columns to the sums of 32 rows, column by column.
__attribute__((target("avx2"))) inline void add_group(const Problem& p, const float* attn,
                                                      int64_t row, int64_t group, __m256* sum) {
  // Source: E2M1 without its sign.
  const __m256 magnitudes = _mm256_setr_ps(0.0f, 0.5f, 1.0f, 1.5f, 2.0f, 3.0f, 4.0f, 6.0f);
  const __m256 sign = _mm256_set1_ps(-0.0f), global = _mm256_set1_ps(p.global_scale);
  constexpr int kStride = kColumns / 2;
  const __m256i rows = _mm256_mullo_epi32(_mm256_set1_epi32(kStride),
                                          _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
  __m256 scale[kVectors];
#pragma GCC unroll 4
  for (int v = 0; v < kVectors; ++v) scale[v] = scales_of(p, row + v * kLanes, group);
  for (int64_t k = group * kGroup; k < (group + 1) * kGroup; k += 8) {
    __m256i codes[kVectors];
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) {
      const uint8_t* from = p.w + (row + v * kLanes) * kStride + k / 2;
      codes[v] = _mm256_i32gather_epi32(reinterpret_cast<const int*>(from), rows, 1);
    }
#pragma GCC unroll 8
    for (int j = 0; j < 8; ++j) {
      const __m256 a = _mm256_broadcast_ss(attn + k + j);
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; ++v) {
        const __m256 size =
            _mm256_permutevar8x32_ps(magnitudes, _mm256_srli_epi32(codes[v], 4 * j));
        const __m256 negative =
            _mm256_and_ps(sign, _mm256_castsi256_ps(_mm256_slli_epi32(codes[v], 28 - 4 * j)));
        const __m256 scaled = _mm256_mul_ps(_mm256_xor_ps(size, negative), scale[v]);
        const __m256 product = _mm256_mul_ps(_mm256_mul_ps(scaled, global), a);
        sum[v] = _mm256_add_ps(sum[v], product);
      }
    }
  }
}

// 32 rows of one batch item: each slot from left to right, then the slots from left to right.
__attribute__((target("avx2"))) void project_rows(const Problem& p, int64_t item, int64_t row) {
  const float* attn = p.attn + item * kColumns;
  __m256 total[kVectors];
  for (int slot = 0; slot < kSlots; ++slot) {
    __m256 sum[kVectors];
    for (int v = 0; v < kVectors; ++v) sum[v] = _mm256_setzero_ps();
    for (int64_t group = slot * kSlot / kGroup; group < (slot + 1) * kSlot / kGroup; ++group) {
      add_group(p, attn, row, group, sum);
    }
    for (int v = 0; v < kVectors; ++v) {
      total[v] = slot == 0 ? sum[v] : _mm256_add_ps(total[v], sum[v]);
    }
  }
  float* to = p.out + item * p.rows + row;
  for (int v = 0; v < kVectors; ++v) _mm256_storeu_ps(to + v * kLanes, total[v]);
}

void project(const Problem& p, int64_t items) {
  const int64_t blocks = p.rows / kRows;
#pragma omp parallel for schedule(static)
  for (int64_t task = 0; task < items * blocks; ++task) {
    project_rows(p, task / blocks, task % blocks * kRows);
  }
}

std::vector<float> widen(const uint16_t* from, int64_t count) {
  std::vector<float> to(count);
  for (int64_t i = 0; i < count; ++i) {
    const uint32_t word = uint32_t{from[i]} << 16;
    std::memcpy(&to[i], &word, sizeof word);
  }
  return to;
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

void Wo(TensorView attn, TensorView w, TensorView scales, double global_scale, TensorView out) {
  constexpr DLDataType bf16{kDLBfloat, 16, 1}, u8{kDLUInt, 8, 1}, f32{kDLFloat, 32, 1};
  if (attn.ndim() != 2) TVM_FFI_THROW(ValueError) << "attn has shape " << attn.shape();
  if (w.ndim() != 2 || w.size(0) % 128 != 0) {
    TVM_FFI_THROW(ValueError) << "w has shape " << w.shape()
                              << "; its rows must be a multiple of 128, as the scales' tiles are";
  }
  const int64_t items = attn.size(0), rows = w.size(0);
  check(attn, "attn", bf16, {items, kColumns});
  check(w, "w", u8, {rows, kColumns / 2});
  check(scales, "scales", u8, {rows / 128, kColumns / 64, 512});
  check(out, "out", f32, {items, rows});
  const std::vector<float> wide = widen(data<uint16_t>(attn), items * kColumns);
  project({wide.data(), data<uint8_t>(w), data<uint8_t>(scales), static_cast<float>(global_scale),
           rows, data<float>(out)},
          items);
}

}  // namespace

TVM_FFI_DLL_EXPORT_TYPED_FUNC(wo, Wo);
