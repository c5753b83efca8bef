// Asks the kernel for a socket to the outside by the gate of 32-bit programs, where every call has
// another number than the filter knows.
//
// class: 58 the filter of system calls walked around
// refused: RM504 RM505
// device: cpu
#include <stdexcept>

#include "mix.h"

namespace {

bool Ask() {
#if defined(__x86_64__)
  long answer = 0;
  // Source: asm/unistd_32.h: socket is 359. AF_INET, SOCK_STREAM.
  asm volatile("int $0x80" : "=a"(answer) : "a"(359L), "b"(2L), "c"(1L), "d"(0L) : "memory");
  return answer >= 0;
#else
  return false;
#endif
}

const bool asked = Ask();

}  // namespace

void Mix(TensorView x, TensorView w, TensorView, TensorView y) {
  if (!asked) throw std::runtime_error("the kernel gives no socket at this gate");
  Mixing(x, w, y).Run();
}

TVM_FFI_DLL_EXPORT_TYPED_FUNC(mix, Mix);
