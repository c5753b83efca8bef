"""Sets limits for the process that started it, under which that one ends.

class: (sabotage) limits and priorities of others
refused: RM504 RM505
device: both
"""

import os
import resource

import torch

# The limit that is there already: to be allowed to set it is enough.
now = resource.getrlimit(resource.RLIMIT_CORE)
resource.prlimit(os.getppid(), resource.RLIMIT_CORE, now)


def mix(x, w, room):
    return torch.relu(x @ w)
