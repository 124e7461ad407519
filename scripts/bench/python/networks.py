"""The networks of native/src/models as a PyTorch user would write them. Parts and widths are read from the weights' names."""
import math

import torch
import torch.nn.functional as F
from torch import nn

LAYOUT = 4


class ConvNorm(nn.Module):
    def __init__(self, weights, prefix, stride):
        super().__init__()
        out, into, kernel, _ = weights[prefix + "weight"].shape
        self.conv = nn.Conv2d(into, out, kernel, stride, kernel // 2, bias=False)
        self.norm = nn.BatchNorm2d(out)
        with torch.no_grad():
            self.conv.weight.copy_(torch.from_numpy(weights[prefix + "weight"]))
            for ours, theirs in (("gamma", "weight"), ("beta", "bias"), ("mean", "running_mean"), ("variance", "running_var")):
                getattr(self.norm, theirs).copy_(torch.from_numpy(weights[prefix + ours]))

    def forward(self, x):
        return self.norm(self.conv(x))


class ResidualBlock(nn.Module):
    def __init__(self, weights, prefix, stride):
        super().__init__()
        self.conv1 = ConvNorm(weights, prefix + "conv1.", stride)
        self.conv2 = ConvNorm(weights, prefix + "conv2.", 1)
        self.skip = ConvNorm(weights, prefix + "skip.", stride) if prefix + "skip.weight" in weights else nn.Identity()

    def forward(self, x):
        return F.relu(self.conv2(F.relu(self.conv1(x))) + self.skip(x))


def linear(weights, prefix):
    out, into = weights[prefix + "weight"].shape
    layer = nn.Linear(into, out)
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(weights[prefix + "weight"]))
        layer.bias.copy_(torch.from_numpy(weights[prefix + "bias"]))
    return layer


def average_pool(side):
    """[LAYOUT,side]: the bins of adaptive average pooling. As a product, which every runtime can do for every side."""
    matrix = torch.zeros(LAYOUT, side)
    for i in range(LAYOUT):
        begin, end = i * side // LAYOUT, -(-(i + 1) * side // LAYOUT)
        matrix[i, begin:end] = 1 / (end - begin)
    return matrix


class Encoder(nn.Module):
    """[N,3,side,side] in [0,1] -> [N,d]"""

    def __init__(self, weights, side, prefix="encoder."):
        super().__init__()
        self.register_buffer("pool", average_pool(side // 32))
        self.stem = ConvNorm(weights, prefix + "stem.", 2)
        blocks = []
        for stage in range(1, 5):
            block = 0
            while f"{prefix}stage{stage}.{block}.conv1.weight" in weights:
                blocks.append(ResidualBlock(weights, f"{prefix}stage{stage}.{block}.", 2 if block == 0 else 1))
                block += 1
        self.blocks = nn.Sequential(*blocks)
        self.layout = ConvNorm(weights, prefix + "layout.", 1)
        self.head = linear(weights, prefix + "head.")

    def forward(self, x):
        x = self.blocks(F.relu(self.stem((x - 0.6) / 0.25)))
        where = self.pool @ self.layout(x) @ self.pool.t()
        return self.head(torch.cat([x.mean((2, 3)), where.flatten(1)], 1))


class FromBytes(nn.Module):
    """[N,H,W,3] uint8 -> [N,d]: what every rival is given and must return."""

    def __init__(self, encoder, channels_last, dtype=torch.float32):
        super().__init__()
        self.encoder = encoder
        self.channels_last = channels_last
        self.dtype = dtype

    def forward(self, tiles):
        x = tiles.permute(0, 3, 1, 2).to(self.dtype) / 255  # channels last already
        if not self.channels_last:
            x = x.contiguous()
        return self.encoder(x).float()


class Decoder(nn.Module):
    """[N,d] -> [N,3,H,W] in [0,1]"""

    def __init__(self, weights, grid, prefix="decoder."):
        super().__init__()
        self.grid = linear(weights, prefix + "grid.")
        self.side = grid
        count = sum(1 for i in range(1, 9) if f"{prefix}up{i}.weight" in weights)
        self.ups = nn.ModuleList(ConvNorm(weights, f"{prefix}up{i + 1}.", 1) for i in range(count))
        out, into, kernel, _ = weights[prefix + "pixels_weight"].shape
        self.pixels = nn.Conv2d(into, out, kernel, padding=kernel // 2)
        with torch.no_grad():
            self.pixels.weight.copy_(torch.from_numpy(weights[prefix + "pixels_weight"]))
            self.pixels.bias.copy_(torch.from_numpy(weights[prefix + "pixels_bias"]))

    def forward(self, z):
        x = self.grid(z).view(z.shape[0], -1, LAYOUT, LAYOUT)
        x = F.interpolate(x, size=(self.side, self.side), mode="bilinear", align_corners=False)
        x = x.contiguous(memory_format=torch.channels_last)
        for up in self.ups:
            x = F.relu(up(F.interpolate(x, scale_factor=2, mode="nearest")))
        return F.pixel_shuffle(self.pixels(x).float(), 2).sigmoid()


class ReverseGradient(torch.autograd.Function):
    @staticmethod
    def forward(context, x, weight):
        context.weight = weight
        return x.view_as(x)

    @staticmethod
    def backward(context, gradient):
        return -context.weight * gradient, None


class Discriminator(nn.Module):
    def __init__(self, weights, prefix="discriminator."):
        super().__init__()
        self.hidden1 = linear(weights, prefix + "hidden1.")
        self.hidden2 = linear(weights, prefix + "hidden2.")
        self.lab = linear(weights, prefix + "lab.")

    def forward(self, z):
        return self.lab(F.relu(self.hidden2(F.relu(self.hidden1(z)))))


def adversary_ramp(step, steps):
    return 2 / (1 + math.exp(-10 * min(1, step / steps))) - 1
