"""Wrong on purpose: the weight is forgotten."""


def rms_norm(x, w):
    return (x.float() / (x.float() ** 2).mean(-1, keepdim=True).add(1e-5).sqrt()).to(x.dtype)
