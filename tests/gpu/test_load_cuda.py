"""A CUDA library on a device: it follows torch's stream, also while a graph is captured."""

from pathlib import Path

import pytest
import torch

from roofmark.bench.build import build_library
from roofmark.bench.sealed import load_sealed
from roofmark.study import Solution

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device"),
]

SOURCE = """
#include <tvm/ffi/container/tensor.h>
#include <tvm/ffi/extra/c_env_api.h>
#include <tvm/ffi/function.h>
__global__ void twice_kernel(const float* x, float* y, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) y[i] = 2.0f * x[i];
}
int64_t Twice(tvm::ffi::TensorView x, tvm::ffi::TensorView y) {
  void* stream = TVMFFIEnvGetStream(x.device().device_type, x.device().device_id);
  int n = static_cast<int>(x.numel());
  twice_kernel<<<(n + 255) / 256, 256, 0, static_cast<cudaStream_t>(stream)>>>(
      static_cast<const float*>(x.data_ptr()), static_cast<float*>(y.data_ptr()), n);
  return reinterpret_cast<int64_t>(stream);
}
TVM_FFI_DLL_EXPORT_TYPED_FUNC(twice, Twice);
"""


@pytest.fixture(scope="module")
def twice(tmp_path_factory: pytest.TempPathFactory):
    root: Path = tmp_path_factory.mktemp("twice")
    (root / "sources").mkdir()
    (root / "sources" / "twice.cu").write_text(SOURCE)
    major, minor = torch.cuda.get_device_capability()
    build, library = build_library(
        Solution("twice", "twice.cu::twice"), root / "sources",
        capability=f"{major}.{minor}", limit=120, cache=root / "cache", scratch=root,
    )  # fmt: skip
    assert not build.ptx_only
    return load_sealed(library, str(build.binary), "twice")


def test_it_runs_on_torchs_current_stream(twice) -> None:
    x, y = torch.arange(1000.0, device="cuda"), torch.empty(1000, device="cuda")
    side = torch.cuda.Stream()
    with torch.cuda.stream(side):
        assert twice(x, y) == side.cuda_stream
    assert twice(x, y) == torch.cuda.current_stream().cuda_stream
    torch.cuda.synchronize()
    assert torch.equal(y, 2 * x)


def test_it_can_be_captured_and_replayed(twice) -> None:
    x, y = torch.ones(1000, device="cuda"), torch.zeros(1000, device="cuda")
    twice(x, y)
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        twice(x, y)
    y.zero_()
    x.fill_(21.0)
    graph.replay()
    torch.cuda.synchronize()
    assert torch.equal(y, torch.full_like(y, 42.0))
