"""The same gates four ways: what differs is how often something is launched or allocated."""

import torch


def separate(x, alpha, beta, gates):
    """Two launches for each layer."""
    for layer in range(alpha.shape[0]):
        torch.mv(alpha[layer], x, out=gates[layer, 0])
        torch.mv(beta[layer], x, out=gates[layer, 1])


def pack(alpha, beta):
    """Both matrices of a layer, one under the other: [L, 2 H, D]."""
    return {"both": torch.cat((alpha, beta), dim=1)}


def packed(x, both, gates):
    """One launch for each layer."""
    for layer in range(both.shape[0]):
        torch.mv(both[layer], x, out=gates[layer].view(-1))


def pack_with_workspace(alpha, beta):
    """The same, and room for one layer's gates."""
    workspace = alpha.new_empty(2 * alpha.shape[1])
    return {"both": torch.cat((alpha, beta), dim=1), "workspace": workspace}


def workspace_kept(x, both, workspace, gates):
    """Two launches for each layer; what lies between them was allocated once."""
    for layer in range(both.shape[0]):
        torch.mv(both[layer], x, out=workspace)
        gates[layer].view(-1).copy_(workspace)


def workspace_fresh(x, both, gates):
    """The same two launches, and an allocation for each layer of each call."""
    for layer in range(both.shape[0]):
        workspace = torch.empty(both.shape[1], dtype=both.dtype, device=both.device)
        torch.mv(both[layer], x, out=workspace)
        gates[layer].view(-1).copy_(workspace)
