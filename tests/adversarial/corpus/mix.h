// y = relu(x @ w) in plain C++, for candidates of the corpus. x: [n, d], w: [d, d], y: [n, d].
#pragma once
#include <tvm/ffi/container/tensor.h>
#include <tvm/ffi/function.h>

#include <algorithm>

using tvm::ffi::TensorView;

struct Mixing {
  const float* x;
  const float* w;
  float* y;
  long n, d;

  Mixing(const TensorView& x_, const TensorView& w_, const TensorView& y_)
      : x(static_cast<const float*>(x_.data_ptr())),
        w(static_cast<const float*>(w_.data_ptr())),
        y(static_cast<float*>(y_.data_ptr())),
        n(x_.size(0)),
        d(x_.size(1)) {}

  void Run() const { Rows(0, n); }

  void Rows(long first, long last) const {
    for (long i = first; i < last; ++i) {
      float* out = y + i * d;
      std::fill(out, out + d, 0.0f);
      for (long k = 0; k < d; ++k) {
        const float scale = x[i * d + k];
        for (long j = 0; j < d; ++j) out[j] += scale * w[k * d + j];
      }
      for (long j = 0; j < d; ++j) out[j] = std::max(out[j], 0.0f);
    }
  }
};
