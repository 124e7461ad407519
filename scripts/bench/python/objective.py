"""The terms of the objective as a PyTorch user would write them: docs/method.md, native/include/stainfold/losses.h."""
import torch
import torch.nn.functional as F


class Compaction(torch.nn.Module):
    """Contrastive over pairwise distances of normalised rows; which pairs count is kept from call to call."""

    def __init__(self, rows, tiles, temperature, device="cpu"):
        super().__init__()
        tile = torch.arange(rows, device=device) % tiles
        own = torch.eye(rows, dtype=torch.bool, device=device)
        same = (tile[:, None] == tile[None, :]) & ~own
        self.register_buffer("own", own)
        self.register_buffer("positive", same.float() / same.sum(1, keepdim=True))
        self.temperature = temperature

    def forward(self, z):
        zn = F.normalize(z, dim=1)
        s = (zn @ zn.t() - 1) / self.temperature  # -|a - b|^2 / (2 temperature) of unit rows
        return (torch.logsumexp(s.masked_fill(self.own, float("-inf")), 1) - (s * self.positive).sum(1)).mean()


def scatter(z, tiles):
    centred = z - z.mean(0)
    views = centred.view(-1, tiles, z.shape[1])
    return (views - views.mean(0)).square().sum() / centred.square().sum()


def charbonnier(x):
    square = x.square()
    return (square / ((square + 1e-6).sqrt() + 1e-3)).mean()


def reconstruction(output, target):
    error = output - target
    return (
        charbonnier(error)
        + charbonnier(error[:, :, 1:] - error[:, :, :-1])
        + charbonnier(error[:, :, :, 1:] - error[:, :, :, :-1])
    )
