def rms_norm(x, w):
    return w * x / (x * x).mean(-1, keepdim=True).add(1e-5).sqrt()
