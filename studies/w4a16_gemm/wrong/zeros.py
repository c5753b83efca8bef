"""Wrong on purpose: nothing computed."""


def w4a16_gemm(x, qweight, scales, y):
    y.zero_()
