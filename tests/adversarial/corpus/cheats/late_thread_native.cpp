// Returns at once; a detached C++ thread, which no count of Python's threads shows, does the work.
//
// class: 2 work in a C++ thread
// refused: RM503 RM508
// device: cpu
#include <thread>

#include "mix.h"

void Mix(TensorView x, TensorView w, TensorView, TensorView y) {
  const Mixing job(x, w, y);
  std::thread([job] { job.Run(); }).detach();
}

TVM_FFI_DLL_EXPORT_TYPED_FUNC(mix, Mix);
