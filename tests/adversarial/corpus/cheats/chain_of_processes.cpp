// Keeps a core busy by a chain of processes, each of which starts the next one and ends: whoever
// wants to stop one finds it gone, and nobody's CPU time grows.
//
// class: (sabotage) others slowed down by what cannot be stopped
// refused: RM509 RM505
// device: cpu
#include <sched.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "mix.h"

namespace {

constexpr int kStack = 1 << 16;
char stacks[2][kStack];
// The chain ends by itself, whatever becomes of the bench.
constexpr long long kSeconds = 10;
long long end = 0;

long long Seconds() {
  timespec t;
  syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &t);
  return t.tv_sec;
}

int Link(void* number) {
  const long n = reinterpret_cast<long>(number);
  for (volatile int i = 0; i < 2000000; ++i) {
  }
  if (Seconds() < end) {
    clone(Link, stacks[n % 2] + kStack, CLONE_VM, reinterpret_cast<void*>(n + 1));
  }
  syscall(SYS_exit, 0);
  return 0;
}

bool Start() {
  end = Seconds() + kSeconds;
  clone(Link, stacks[1] + kStack, CLONE_VM, nullptr);
  return true;
}

const bool started = Start();

}  // namespace

void Mix(TensorView x, TensorView w, TensorView, TensorView y) { Mixing(x, w, y).Run(); }

TVM_FFI_DLL_EXPORT_TYPED_FUNC(mix, Mix);
