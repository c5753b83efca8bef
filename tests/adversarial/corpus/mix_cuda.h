// y = relu(x @ w) in plain CUDA, for candidates of the corpus. x: [n, d], w: [d, d], y: [n, d].
#pragma once
#include <cuda_runtime.h>
#include <tvm/ffi/container/tensor.h>
#include <tvm/ffi/extra/c_env_api.h>
#include <tvm/ffi/function.h>

using tvm::ffi::TensorView;

inline cudaStream_t StreamOf(const TensorView& x) {
  const DLDevice device = x.device();
  return static_cast<cudaStream_t>(TVMFFIEnvGetStream(device.device_type, device.device_id));
}

inline float* Data(const TensorView& x) { return static_cast<float*>(x.data_ptr()); }

__global__ void MixKernel(const float* x, const float* w, float* y, long n, long d) {
  const long i = blockIdx.y, j = blockIdx.x * 256L + threadIdx.x;
  if (i >= n || j >= d) return;
  float sum = 0.0f;
  for (long k = 0; k < d; ++k) sum += x[i * d + k] * w[k * d + j];
  y[i * d + j] = fmaxf(sum, 0.0f);
}

inline void Mix(TensorView x, TensorView w, TensorView, TensorView y) {
  const long n = x.size(0), d = x.size(1);
  const dim3 grid(static_cast<unsigned>((d + 255) / 256), static_cast<unsigned>(n));
  MixKernel<<<grid, 256, 0, StreamOf(x)>>>(Data(x), Data(w), Data(y), n, d);
}
