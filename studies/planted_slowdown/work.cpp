// A fixed amount of dependent arithmetic per element, and the same with five percent more.
// x, y: [n] float32, contiguous, n a multiple of 64.
#include <cstdint>

#include <tvm/ffi/container/tensor.h>
#include <tvm/ffi/function.h>

namespace {

// Eight vectors of eight lanes go side by side, so that the chain of one hides behind the others.
constexpr int kLanes = 64;

template <int Steps>
void Contract(tvm::ffi::TensorView x, tvm::ffi::TensorView y) {
  const int64_t n = x.size(0);
  if (n % kLanes != 0) TVM_FFI_THROW(ValueError) << "n = " << n << " is no multiple of " << kLanes;
  const float* in = static_cast<const float*>(x.data_ptr());
  float* out = static_cast<float*>(y.data_ptr());
  for (int64_t i = 0; i < n; i += kLanes) {
    float value[kLanes];
    for (int lane = 0; lane < kLanes; ++lane) value[lane] = in[i + lane];
    for (int step = 0; step < Steps; ++step)
      for (int lane = 0; lane < kLanes; ++lane) value[lane] = 0.5f * value[lane] + 0.125f;
    for (int lane = 0; lane < kLanes; ++lane) out[i + lane] = value[lane];
  }
}

}  // namespace

void Steady(tvm::ffi::TensorView x, tvm::ffi::TensorView y) { Contract<2000>(x, y); }
void Slower(tvm::ffi::TensorView x, tvm::ffi::TensorView y) { Contract<2100>(x, y); }

TVM_FFI_DLL_EXPORT_TYPED_FUNC(steady, Steady);
TVM_FFI_DLL_EXPORT_TYPED_FUNC(slower, Slower);
