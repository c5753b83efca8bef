// Each call is made by a process that shares its memory and has ended when the call does: its CPU
// time is nobody's by then. The clock that the samples come from is at half speed (`detour`).
//
// class: 57 work by processes that have ended
// refused: RM508 RM510
// device: cpu
#include <sched.h>
#include <signal.h>
#include <sys/wait.h>

#include <vector>

#include "mix.h"
#include "slow_clock.h"

namespace {

std::vector<char> stack(1 << 18);

int Work(void* job) {
  static_cast<const Mixing*>(job)->Run();
  return 0;
}

}  // namespace

void Mix(TensorView x, TensorView w, TensorView, TensorView y) {
  Mixing job(x, w, y);
  const int child = clone(Work, stack.data() + stack.size(), CLONE_VM | CLONE_VFORK, &job);
  if (child < 0) return job.Run();
  waitpid(child, nullptr, __WCLONE);
}

TVM_FFI_DLL_EXPORT_TYPED_FUNC(mix, Mix);
