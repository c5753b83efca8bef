// Writes one row too many: what lies behind its output is changed.
//
// class: 38 out of bounds
// refused: RM503 RM505
// device: cpu
#include "mix.h"

void Mix(TensorView x, TensorView w, TensorView, TensorView y) {
  Mixing job(x, w, y);
  job.Run();
  for (long i = 0; i < 4 * job.d; ++i) job.y[job.n * job.d + i] = 0.5f;
}

TVM_FFI_DLL_EXPORT_TYPED_FUNC(mix, Mix);
