// Overwrites the first bytes of cudaEventElapsedTime in libcudart with a jump to a lie.
//
// class: 7 native hook of the elapsed-time call
// refused: RM508
// device: cuda
#include <dlfcn.h>
#include <sys/mman.h>

#include <cstdint>
#include <cstring>

#include "mix_cuda.h"

namespace {

using Elapsed = int (*)(float*, void*, void*);

int Lie(float* milliseconds, void* start, void* end) {
  static auto driver = reinterpret_cast<Elapsed>(
      dlsym(dlopen("libcuda.so.1", RTLD_NOW), "cuEventElapsedTime"));
  const int status = driver(milliseconds, start, end);
  *milliseconds *= 0.5f;
  return status;
}

bool Hook() {
#if defined(__x86_64__)
  void* place = dlsym(RTLD_DEFAULT, "cudaEventElapsedTime");
  if (place == nullptr) return false;
  unsigned char jump[12] = {0x48, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xe0};  // mov rax; jmp rax
  const void* target = reinterpret_cast<void*>(&Lie);
  std::memcpy(jump + 2, &target, sizeof target);
  auto* page = reinterpret_cast<void*>(reinterpret_cast<uintptr_t>(place) & ~uintptr_t{4095});
  if (mprotect(page, 8192, PROT_READ | PROT_WRITE | PROT_EXEC) != 0) return false;
  std::memcpy(place, jump, sizeof jump);
#endif
  return true;
}

const bool hooked = Hook();

}  // namespace

TVM_FFI_DLL_EXPORT_TYPED_FUNC(mix, Mix);
