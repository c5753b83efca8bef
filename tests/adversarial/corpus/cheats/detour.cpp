// Overwrites the first bytes of libc's clock_gettime with a jump to a clock at half speed.
//
// class: 7 native hook of the clock
// refused: RM508 RM510
// device: cpu
#include "mix.h"
#include "slow_clock.h"

void Mix(TensorView x, TensorView w, TensorView, TensorView y) { Mixing(x, w, y).Run(); }

TVM_FFI_DLL_EXPORT_TYPED_FUNC(mix, Mix);
