// A solution: RMS norm on a CPU, one thread, written so that a compiler can vectorise it.
//
// In: x [n, d] f32, w [d] f32, eps. Out: y [n, d] f32, written in place.

#include <tvm/ffi/tvm_ffi.h>

#include <cmath>
#include <cstdint>

namespace {

using tvm::ffi::TensorView;

// Chosen: eight sums, so that one addition does not wait for the last (and AVX2 holds eight).
constexpr int64_t kLanes = 8;

void RmsNorm(TensorView x, TensorView w, double eps, TensorView y) {
  const int64_t n = x.size(0), d = x.size(1);
  if (d % kLanes != 0) TVM_FFI_THROW(ValueError) << "d is " << d << ", no multiple of " << kLanes;
  const auto* in = static_cast<const float*>(x.data_ptr());
  const auto* weight = static_cast<const float*>(w.data_ptr());
  auto* out = static_cast<float*>(y.data_ptr());
  for (int64_t row = 0; row < n; ++row, in += d, out += d) {
    float sums[kLanes] = {};
    for (int64_t i = 0; i < d; i += kLanes) {
      for (int64_t lane = 0; lane < kLanes; ++lane) sums[lane] += in[i + lane] * in[i + lane];
    }
    float sum = 0.0f;
    for (float part : sums) sum += part;
    const float scale = 1.0f / std::sqrt(sum / static_cast<float>(d) + static_cast<float>(eps));
    for (int64_t i = 0; i < d; ++i) out[i] = in[i] * scale * weight[i];
  }
}

}  // namespace

TVM_FFI_DLL_EXPORT_TYPED_FUNC(rmsnorm, RmsNorm);
