// A fixed amount of dependent arithmetic per element, and the same with five percent more.
// x, y: [n] float32, contiguous.
#include <cstdint>

#include <tvm/ffi/container/tensor.h>
#include <tvm/ffi/extra/c_env_api.h>
#include <tvm/ffi/function.h>

namespace {

constexpr int kThreads = 256;

template <int Steps>
__global__ void __launch_bounds__(kThreads) ContractKernel(const float* x, float* y, int64_t n) {
  const int64_t i = static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (i >= n) return;
  float value = x[i];
  // Unrolled by a number that divides both step counts, so that they differ in work alone.
#pragma unroll 50
  for (int step = 0; step < Steps; ++step) value = fmaf(0.5f, value, 0.125f);
  y[i] = value;
}

template <int Steps>
void Contract(tvm::ffi::TensorView x, tvm::ffi::TensorView y) {
  const int64_t n = x.size(0);
  const DLDevice device = x.device();
  auto stream =
      static_cast<cudaStream_t>(TVMFFIEnvGetStream(device.device_type, device.device_id));
  const auto blocks = static_cast<unsigned>((n + kThreads - 1) / kThreads);
  ContractKernel<Steps><<<blocks, kThreads, 0, stream>>>(static_cast<const float*>(x.data_ptr()),
                                                         static_cast<float*>(y.data_ptr()), n);
  const cudaError_t status = cudaGetLastError();
  if (status != cudaSuccess) TVM_FFI_THROW(RuntimeError) << cudaGetErrorString(status);
}

}  // namespace

void Steady(tvm::ffi::TensorView x, tvm::ffi::TensorView y) { Contract<2000>(x, y); }
void Slower(tvm::ffi::TensorView x, tvm::ffi::TensorView y) { Contract<2100>(x, y); }

TVM_FFI_DLL_EXPORT_TYPED_FUNC(steady, Steady);
TVM_FFI_DLL_EXPORT_TYPED_FUNC(slower, Slower);
