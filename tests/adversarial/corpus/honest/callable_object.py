"""The entry is an object with state: a workspace that every call fills again."""

import torch


class Mixer:
    def __init__(self):
        self.space = None

    def __call__(self, x, w, room):
        if self.space is None or self.space.shape != x.shape:
            self.space = torch.empty_like(room)
        torch.mm(x, w, out=self.space)
        return self.space.relu()


mix = Mixer()
