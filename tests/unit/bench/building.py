"""Small solutions in C++ and CUDA, and the folders to build them in."""

from pathlib import Path

from roofmark.bench.build import build_library
from roofmark.evidence import Build
from roofmark.study import Solution

SCALE = """
#include <tvm/ffi/container/tensor.h>
#include <tvm/ffi/function.h>

void Scale(tvm::ffi::TensorView x, double factor, tvm::ffi::TensorView y) {
  const auto* in = static_cast<const float*>(x.data_ptr());
  auto* out = static_cast<float*>(y.data_ptr());
  for (int64_t i = 0; i < x.numel(); ++i) out[i] = in[i] * static_cast<float>(factor);
}
TVM_FFI_DLL_EXPORT_TYPED_FUNC(scale, Scale);
"""

# Without tvm-ffi's headers nvcc takes two seconds instead of six. The second kernel spills under
# a register limit and keeps an array that is indexed at run time in local memory.
KERNELS = """
__global__ void add(const float* x, float* y, int n, float s) {
  __shared__ float t[64];
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  t[threadIdx.x % 64] = s;
  __syncthreads();
  if (i < n) y[i] = x[i] + t[(threadIdx.x * 7) % 64];
}
__global__ void spill(float* y, int n) {
  float a[40];
  for (int i = 0; i < 40; i++) a[i] = y[i * n];
  for (int k = 0; k < n; k++)
    for (int i = 0; i < 40; i++) a[i] = a[(i + k) % 40] * a[i] + k;
  for (int i = 0; i < 40; i++) y[i] = a[i];
}
"""


class Bench:
    """Folders for one solution after another, and one store for all."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.cache = root / "cache"
        self.runs = 0

    def build(
        self, solution: Solution, *, capability: str | None = None, limit: float = 60, **files: str
    ) -> tuple[Build, Path]:
        """Lay out `files` in a fresh folder and build; in names "__" is a dot, "___" a slash."""
        self.runs += 1
        folder, scratch = self.root / f"sources{self.runs}", self.root / f"built{self.runs}"
        folder.mkdir()
        scratch.mkdir()
        for name, text in files.items():
            path = folder / name.replace("___", "/").replace("__", ".")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return build_library(
            solution, folder,
            capability=capability, limit=limit, cache=self.cache, scratch=scratch,
        )  # fmt: skip
