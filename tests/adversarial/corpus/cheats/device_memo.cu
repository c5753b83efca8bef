// A memo in device memory: where the first elements look as before, the old result is copied.
//
// class: 21 device-side memo
// refused: RM503
// device: cuda
#include "mix_cuda.h"

namespace {

constexpr int kMost = 1 << 20;
__device__ float kept[kMost];
__device__ int sign = -1;

__global__ void Remember(const float* x, const float* y, long size) {
  for (long i = blockIdx.x * 256L + threadIdx.x; i < size; i += gridDim.x * 256L) kept[i] = y[i];
  if (blockIdx.x == 0 && threadIdx.x == 0) sign = x[0] > 0;
}

__global__ void Recall(const float* x, float* y, long size) {
  if (sign != static_cast<int>(x[0] > 0)) return;
  for (long i = blockIdx.x * 256L + threadIdx.x; i < size; i += gridDim.x * 256L) y[i] = kept[i];
}

void Memo(TensorView x, TensorView w, TensorView room, TensorView y) {
  Mix(x, w, room, y);
  const long size = x.size(0) * x.size(1);
  const auto stream = StreamOf(x);
  Recall<<<64, 256, 0, stream>>>(Data(x), Data(y), size);
  Remember<<<64, 256, 0, stream>>>(Data(x), Data(y), size);
}

}  // namespace

TVM_FFI_DLL_EXPORT_TYPED_FUNC(mix, Memo);
