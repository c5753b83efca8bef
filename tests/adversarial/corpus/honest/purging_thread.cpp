// An allocator of its own, whose thread gives free pages back every ten milliseconds as jemalloc's
// does.
#include <sys/mman.h>

#include <chrono>
#include <cstring>
#include <mutex>
#include <thread>

#include "mix.h"

namespace {

constexpr size_t kBytes = size_t{64} << 20;
std::mutex mutex;

void* Room() {
  static void* room = [] {
    void* made = mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    std::thread([made] {
      for (;;) {
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
        std::lock_guard lock(mutex);
        madvise(made, kBytes, MADV_DONTNEED);
      }
    }).detach();
    return made;
  }();
  return room;
}

}  // namespace

void Mix(TensorView x, TensorView w, TensorView, TensorView y) {
  std::lock_guard lock(mutex);
  Mixing job(x, w, y);
  float* out = job.y;
  job.y = static_cast<float*>(Room());
  job.Run();
  std::memcpy(out, job.y, sizeof(float) * job.n * job.d);
}

TVM_FFI_DLL_EXPORT_TYPED_FUNC(mix, Mix);
