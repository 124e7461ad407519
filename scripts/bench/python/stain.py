"""Rivals for stain work, a tile after the other as they take them: torchstain's steps in PyTorch and NumPy, scikit-image's colours.

torchstain's steps are a transcription from its published description: OD = -ln((I+1)/240), pixels below 0.15 left out, the plane
of the two largest eigenvectors, the 1st and 99th percentile of the angle, least squares, the 99th percentile of each stain.
"""
import numpy

import checks

REFERENCE = [[0.5626, 0.2159], [0.7201, 0.8012], [0.4062, 0.5581]]
REFERENCE_MAX = [1.9705, 1.0308]
WHITE = 240.0
LEAST = 0.15


def open_task(case):
    side = case["tileSize"]
    tiles = numpy.fromfile(case["tiles"], numpy.uint8).reshape(-1, side, side, 3)[: case["batch"]]
    task = TASKS[case["rival"]](tiles, case)
    task.about = {"version": task.version, "threads": case["threads"]}
    found = numpy.stack([numpy.asarray(tile) for tile in task.run()]).astype(numpy.float32)
    task.about["difference"] = checks.grey_levels(found, case["reference"])
    return task


class TorchTask:
    def __init__(self, tiles, case):
        import torch

        torch.set_num_threads(case["threads"])
        self.torch, self.version = torch, torch.__version__
        self.tiles = [torch.from_numpy(tile.copy()) for tile in tiles]
        self.prepare(case)

    def prepare(self, case):
        pass

    def run(self):
        return [self.normalize(tile) for tile in self.tiles]


class MacenkoTorch(TorchTask):
    def prepare(self, _case):
        self.reference = self.torch.tensor(REFERENCE)
        self.reference_max = self.torch.tensor(REFERENCE_MAX)

    def percentile(self, values, q):
        k = 1 + round(0.01 * q * (values.numel() - 1))
        return values.kthvalue(k).values

    def normalize(self, tile):
        torch = self.torch
        density = -torch.log((tile.reshape(-1, 3).float() + 1) / WHITE)
        stained = density[~(density < LEAST).any(1)]
        _, vectors = torch.linalg.eigh(torch.cov(stained.T))
        plane = vectors[:, [1, 2]]
        projected = stained @ plane
        phi = torch.atan2(projected[:, 1], projected[:, 0])
        low, high = self.percentile(phi, 1), self.percentile(phi, 99)
        first = plane @ torch.stack([torch.cos(low), torch.sin(low)])
        second = plane @ torch.stack([torch.cos(high), torch.sin(high)])
        stains = torch.stack([first, second] if first[0] > second[0] else [second, first], 1)
        concentrations = torch.linalg.lstsq(stains, density.T).solution
        most = torch.stack([self.percentile(concentrations[0], 99), self.percentile(concentrations[1], 99)])
        concentrations *= (self.reference_max / most)[:, None]
        light = WHITE * torch.exp(-self.reference @ concentrations)
        return light.clamp_(max=255).T.reshape(tile.shape).to(torch.uint8)


class MacenkoNumpy:
    def __init__(self, tiles, _case):
        self.version, self.tiles = numpy.__version__, list(tiles)
        self.reference, self.reference_max = numpy.array(REFERENCE), numpy.array(REFERENCE_MAX)

    def run(self):
        return [self.normalize(tile) for tile in self.tiles]

    def normalize(self, tile):
        density = -numpy.log((tile.reshape(-1, 3).astype(float) + 1) / WHITE)
        stained = density[~(density < LEAST).any(1)]
        _, vectors = numpy.linalg.eigh(numpy.cov(stained.T))
        plane = vectors[:, 1:3]
        projected = stained @ plane
        phi = numpy.arctan2(projected[:, 1], projected[:, 0])
        low, high = numpy.percentile(phi, 1), numpy.percentile(phi, 99)
        first = plane @ [numpy.cos(low), numpy.sin(low)]
        second = plane @ [numpy.cos(high), numpy.sin(high)]
        stains = numpy.stack([first, second] if first[0] > second[0] else [second, first], 1)
        concentrations = numpy.linalg.lstsq(stains, density.T, rcond=None)[0]
        most = numpy.percentile(concentrations, 99, axis=1)
        concentrations *= (self.reference_max / most)[:, None]
        light = WHITE * numpy.exp(-self.reference @ concentrations)
        return numpy.clip(light, None, 255).T.reshape(tile.shape).astype(numpy.uint8)


class ReinhardTorch(TorchTask):
    """torchstain: sRGB to CIELAB, means and deviations of the reference, and back."""

    def prepare(self, case):
        torch = self.torch
        self.to_xyz = torch.tensor(
            [[0.412453, 0.357580, 0.180423], [0.212671, 0.715160, 0.072169], [0.019334, 0.119193, 0.950227]]
        )
        self.to_rgb = torch.linalg.inv(self.to_xyz)
        self.white = torch.tensor([0.95047, 1.0, 1.08883])
        self.means = torch.tensor(case["means"])
        self.deviations = torch.tensor(case["deviations"])

    def lab(self, tile):
        torch = self.torch
        x = tile.reshape(-1, 3).float() / 255
        x = torch.where(x > 0.04045, ((x + 0.055) / 1.055) ** 2.4, x / 12.92)
        x = x @ self.to_xyz.T / self.white
        f = torch.where(x > 0.008856, x.clamp(min=1e-9) ** (1 / 3), 7.787 * x + 16 / 116)
        return torch.stack([116 * f[:, 1] - 16, 500 * (f[:, 0] - f[:, 1]), 200 * (f[:, 1] - f[:, 2])], 1)

    def rgb(self, lab):
        torch = self.torch
        y = (lab[:, 0] + 16) / 116
        f = torch.stack([lab[:, 1] / 500 + y, y, y - lab[:, 2] / 200], 1)
        x = torch.where(f > 0.2068966, f**3, (f - 16 / 116) / 7.787) * self.white
        x = x @ self.to_rgb.T
        return torch.where(x > 0.0031308, 1.055 * x.clamp(min=1e-9) ** (1 / 2.4) - 0.055, 12.92 * x)

    def normalize(self, tile):
        lab = self.lab(tile)
        moved = (lab - lab.mean(0)) / lab.std(0, unbiased=False) * self.deviations + self.means
        return (self.rgb(moved).clamp_(0, 1) * 255).reshape(tile.shape).to(self.torch.uint8)


class ReinhardSkimage:
    def __init__(self, tiles, case):
        import skimage
        from skimage import color

        self.version, self.color, self.tiles = skimage.__version__, color, list(tiles)
        self.means, self.deviations = numpy.array(case["means"]), numpy.array(case["deviations"])

    def run(self):
        return [self.normalize(tile) for tile in self.tiles]

    def normalize(self, tile):
        lab = self.color.rgb2lab(tile)
        moved = (lab - lab.mean((0, 1))) / lab.std((0, 1)) * self.deviations + self.means
        return (numpy.clip(self.color.lab2rgb(moved), 0, 1) * 255).astype(numpy.uint8)


TASKS = {
    "macenko-torch": MacenkoTorch,
    "macenko-numpy": MacenkoNumpy,
    "reinhard-torch": ReinhardTorch,
    "reinhard-skimage": ReinhardSkimage,
}
