// What both CUDA entries ask of a tensor before they launch.
//
// In:  a tensor, its name, and what the kernel will take it for. Out: its data, or an error that
//      says what the tensor is and what it must be.

#pragma once

#include <tvm/ffi/tvm_ffi.h>

#include <cstdint>
#include <initializer_list>

using tvm::ffi::TensorView;

constexpr DLDataType kBfloat16{kDLBfloat, 16, 1}, kFloat32{kDLFloat, 32, 1}, kUint8{kDLUInt, 8, 1},
    kInt64{kDLInt, 64, 1};

// Raises: ValueError, TypeError. device: that of the launch; an address of another GPU would fault
// there, or cross the bus.
inline void check(TensorView x, const char* name, DLDataType type,
                  std::initializer_list<int64_t> shape, DLDevice device) {
  bool fits = x.ndim() == static_cast<int>(shape.size());
  int axis = 0;
  for (int64_t size : shape) fits = fits && x.size(axis++) == size;
  if (!fits) {
    TVM_FFI_THROW(ValueError) << name << " has shape " << x.shape() << "; it must be "
                              << tvm::ffi::Shape(shape);
  }
  const DLDataType own = x.dtype();
  if (own.code != type.code || own.bits != type.bits || own.lanes != type.lanes) {
    TVM_FFI_THROW(TypeError) << name << " has dtype " << own << "; it must be " << type;
  }
  if (x.device().device_type != kDLCUDA) TVM_FFI_THROW(ValueError) << name << " is not on a GPU";
  if (x.device().device_id != device.device_id) {
    TVM_FFI_THROW(ValueError) << name << " is on GPU " << x.device().device_id
                              << ", but the launch is on " << device.device_id;
  }
  if (!x.IsContiguous()) TVM_FFI_THROW(ValueError) << name << " is not contiguous";
  const uintptr_t address = reinterpret_cast<uintptr_t>(x.data_ptr()) + x.byte_offset();
  if (address % 16 != 0) {
    TVM_FFI_THROW(ValueError) << name << " starts at an address that 16 does not divide";
  }
}

template <typename T>
T* data(TensorView x) {
  return reinterpret_cast<T*>(static_cast<char*>(x.data_ptr()) + x.byte_offset());
}
