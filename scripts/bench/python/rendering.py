"""The views of a training step, native/src/stain transcribed into batched PyTorch operations: stains estimated from each tile, an affine map
of optical density, the scanner's curve, focus, re-compression as JPEG. The changes are drawn by whoever calls."""
import math

import torch
import torch.nn.functional as F

GLASS, LEVELS, LEAST = 240.0, 256.0, 0.15
SAMPLED = 4096
LUMA = [
    16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55, 14, 13, 16, 24, 40, 57, 69, 56, 14, 17, 22, 29, 51, 87, 80, 62,
    18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92, 49, 64, 78, 87, 103, 121, 120, 101, 72, 92, 95, 98, 112, 100, 103, 99,
]  # fmt: skip
CHROMA = [17, 18, 24, 47, 99, 99, 99, 99, 18, 21, 26, 66, 99, 99, 99, 99, 24, 26, 56, 99, 99, 99, 99, 99, 47, 66] + [99] * 38
TO_YCC = [0.299, 0.587, 0.114, -0.168736, -0.331264, 0.5, 0.5, -0.418688, -0.081312]
FROM_CHROMA = [0.0, 1.402, -0.344136, -0.714136, 1.772, 0.0]


def stains_of(density):
    """[B,3,H,W] -> M [B,3,2]: Macenko et al. 2009, a tile after the other."""
    found = []
    stride = 1
    while (density.shape[2] // stride) * (density.shape[3] // stride) > SAMPLED:
        stride += 2
    for pixels in density[:, :, ::stride, ::stride].flatten(2):
        stained = pixels[:, (pixels >= LEAST).all(0)]
        _, vectors = torch.linalg.eigh(torch.cov(stained).double())
        plane = vectors[:, 1:].to(stained.dtype)
        plane = plane * torch.where(plane.sum(0) < 0, -1.0, 1.0)
        projected = plane.T @ stained
        angles = torch.atan2(projected[0], projected[1])
        count = angles.numel() - 1
        ends = [angles.kthvalue(1 + round(q * count)).values for q in (0.01, 0.99)]
        pair = [plane[:, 1] * torch.cos(a) + plane[:, 0] * torch.sin(a) for a in ends]
        found.append(torch.stack(pair if pair[0][0] > pair[1][0] else pair[::-1], 1))
    return torch.stack(found)


def stain_maps(stains, log_scale, background, rotation):
    """M [V,3,2], [V,2], [V,2], [V,2,3] -> matrix [V,3,3], offset [V,3]"""
    x, y, z = rotation.unbind(2)
    zero = torch.zeros_like(x)
    turning = torch.linalg.matrix_exp(torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], 2).view(-1, 2, 3, 3))
    turned = (turning @ stains.transpose(1, 2).unsqueeze(3)).squeeze(3).clamp_min(0)
    turned = (turned / turned.norm(dim=2, keepdim=True).clamp_min(1e-3)).transpose(1, 2)
    inverse = torch.linalg.pinv(stains)
    residual = log_scale.mean(1).exp().view(-1, 1, 1)
    identity = torch.eye(3, device=stains.device)
    matrix = (turned * log_scale.exp().unsqueeze(1)) @ inverse + residual * (identity - stains @ inverse)
    return matrix, (turned @ background.unsqueeze(2)).squeeze(2)


def curve(density, matrix, offset, log_gain, log_gamma):
    """[V,3,H,W] -> [V,3,H,W] in [0,1]"""
    gamma, unit = log_gamma.exp(), math.log(LEVELS / 255)
    slope = -matrix * gamma.unsqueeze(2)
    intercept = (log_gain + math.log(GLASS / LEVELS) - offset) * gamma + unit
    brightest = (log_gain * gamma).clamp_max(0) + unit
    light = torch.baddbmm(intercept.unsqueeze(2), slope, density.flatten(2))
    return light.clamp_max_(brightest.unsqueeze(2)).exp_().sub_(1 / 255).clamp_(0, 1).view_as(density)


def refocus(pixels, amount, sigma_max):
    radius = math.ceil(2.5 * max(sigma_max, 0.1))
    blurs = amount > 0
    sigma = torch.where(blurs, amount * sigma_max, sigma_max).clamp_min(0.1)
    line = (-0.5 * (torch.arange(-radius, radius + 1, device=pixels.device) / sigma.unsqueeze(1)) ** 2).exp()
    line = line / line.sum(1, keepdim=True)
    weight = torch.where(blurs, torch.ones_like(amount), amount).view(-1, 1, 1)
    kernels = line.unsqueeze(2) * line.unsqueeze(1) * weight
    kernels[:, radius, radius] += 1 - weight.view(-1)
    planes = pixels.shape[0] * 3
    padded = F.pad(pixels, [radius] * 4, mode="replicate").view(1, planes, pixels.shape[2] + 2 * radius, -1)
    return F.conv2d(padded, kernels.repeat_interleave(3, 0).unsqueeze(1), groups=planes).clamp_(0, 1).view_as(pixels)


def block_dct(device):
    index = torch.arange(8, dtype=torch.float64)
    line = torch.cos(torch.outer(index, index * 2 + 1) * (math.pi / 16)) * 0.5
    line[0] *= math.sqrt(0.5)
    return torch.kron(line, line).float().to(device)


def requantise(planes, table):
    channels, dct = planes.shape[1], block_dct(planes.device)
    forward = (dct / table.unsqueeze(2)).repeat_interleave(channels, 0)
    inverse = (dct.T * (table / 255).unsqueeze(1)).repeat_interleave(channels, 0)
    blocks = F.pixel_unshuffle(planes, 8)
    levels = (forward @ blocks.reshape(planes.shape[0] * channels, 64, -1)).round_()
    return F.pixel_shuffle((inverse @ levels).view_as(blocks), 8)


def recompress(pixels, quality):
    """Sides are multiples of 16; quality [V]."""
    views, _, rows, columns = pixels.shape

    def table(base):
        scale = torch.where(quality < 50, (5000 / quality).floor(), 200 - 2 * quality).unsqueeze(1)
        return ((torch.tensor(base, device=pixels.device) * scale + 50) / 100).floor().clamp_(1, 255)

    to_ycc = torch.tensor(TO_YCC, device=pixels.device).view(1, 3, 3) * 255
    level = torch.tensor([-128.0, 0, 0], device=pixels.device).view(1, 3, 1)
    ycc = torch.baddbmm(level, to_ycc.expand(views, 3, 3), pixels.reshape(views, 3, -1)).view_as(pixels)
    luma = requantise(ycc[:, :1], table(LUMA)) + 128 / 255
    halved = F.interpolate(ycc[:, 1:], size=(rows // 2, columns // 2), mode="bilinear", align_corners=False)
    chroma = requantise(halved, table(CHROMA))
    chroma = F.interpolate(chroma, size=(rows, columns), mode="bilinear", align_corners=False)
    back = torch.tensor(FROM_CHROMA, device=pixels.device).view(1, 3, 2).expand(views, 3, 2)
    rgb = torch.baddbmm(luma.view(views, 1, -1), back, chroma.view(views, 2, -1))
    return rgb.clamp_(0, 1).view_as(pixels)


def render(grey, views, change):
    """[B,3,H,W] grey levels -> [views*B,3,H,W] in [0,1]. `change`: of each view; of those that are refocused or re-compressed, which."""
    density = math.log(GLASS) - (grey + 1).log()
    stains = stains_of(density).repeat(views, 1, 1)
    matrix, offset = stain_maps(stains, change["log_scale"], change["background"], change["rotation"])
    pixels = curve(density.repeat(views, 1, 1, 1), matrix, offset, change["log_gain"], change["log_gamma"])
    rows, amount, sigma = change["focus"]
    if len(rows) > 0:
        pixels[rows] = refocus(pixels[rows], amount, sigma)
    rows, quality = change["jpeg"]
    if len(rows) > 0:
        pixels[rows] = recompress(pixels[rows], quality)
    return pixels


def draw(count, strength, shared, device):
    """What the default manifold draws for `count` views; `shared`: the part of them that is refocused, and that is re-compressed."""
    normal = lambda spread, *shape: torch.randn(count, *shape, device=device) * spread * strength
    some = torch.arange(round(count * shared), device=device)
    return {
        "log_scale": normal(0.25, 2),
        "background": normal(0.03, 2),
        "rotation": normal(math.radians(9), 2, 3),
        "log_gain": normal(0.06, 3),
        "log_gamma": normal(0.12, 1),
        "focus": (some, torch.rand(len(some), device=device) * 2 - 1, max(0.8 * strength, 0.01)),
        "jpeg": (some, torch.randint(10, 100, (len(some),), device=device).float()),
    }
