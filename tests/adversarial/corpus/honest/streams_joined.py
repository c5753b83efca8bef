"""Half of the work on a stream of its own, which the caller's stream waits for.

device: cuda
"""

import torch


def mix(x, w, room, y):
    half = x.shape[0] // 2
    main, side = torch.cuda.current_stream(), torch.cuda.Stream()
    side.wait_stream(main)
    with torch.cuda.stream(side):
        torch.mm(x[half:], w, out=y[half:])
    torch.mm(x[:half], w, out=y[:half])
    main.wait_stream(side)
    y.relu_()
