"""Writes C for the shape it meets, has it compiled and loads it: a first call of a second.

device: cpu
"""

import ctypes
import functools
import subprocess

SOURCE = """
void mix(const float *x, const float *w, float *y) {{
  for (long i = 0; i < {n}; ++i) {{
    float *out = y + i * {d};
    for (long j = 0; j < {d}; ++j) out[j] = 0;
    for (long k = 0; k < {d}; ++k)
      for (long j = 0; j < {d}; ++j) out[j] += x[i * {d} + k] * w[k * {d} + j];
    for (long j = 0; j < {d}; ++j) out[j] = out[j] > 0 ? out[j] : 0;
  }}
}}
"""


@functools.lru_cache
def kernel(n, d):
    name = f"mix_{n}_{d}"
    with open(f"{name}.c", "w") as file:
        file.write(SOURCE.format(n=n, d=d))
    subprocess.run(["cc", "-O3", "-shared", "-fPIC", "-o", f"./{name}.so", f"{name}.c"], check=True)
    found = ctypes.CDLL(f"./{name}.so").mix
    found.argtypes, found.restype = [ctypes.c_void_p] * 3, None
    return found


def mix(x, w, room, y):
    kernel(*x.shape)(x.data_ptr(), w.data_ptr(), y.data_ptr())
