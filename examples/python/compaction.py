"""stainfold's compaction loss in Python: the same operator, CPU and CUDA, forward and backward.

    python compaction.py WHERE_STAINFOLD_WAS_INSTALLED/lib/libstainfold_ops.so

The library must have been built against this torch's minor version: cmake -DSTAINFOLD_LIBTORCH=<torch's folder>.
"""

import sys

import torch

torch.ops.load_library(sys.argv[1])


def reference(z: torch.Tensor, tiles: int, temperature: float) -> torch.Tensor:
    """The formula of docs/method.md, with the whole M x M matrix that the operator never holds."""
    unit = z / z.norm(dim=1, keepdim=True)
    s = -torch.cdist(unit, unit).square() / (2 * temperature)
    index = torch.arange(len(z))
    itself = torch.eye(len(z), dtype=torch.bool)
    partner = (index[:, None] % tiles == index % tiles) & ~itself
    return (s.masked_fill(itself, -torch.inf).logsumexp(1) - (s * partner).sum(1) / partner.sum(1)).mean()


torch.manual_seed(1)
tiles, views, latent, temperature = 32, 3, 16, 0.07
z = torch.randn(views * tiles, latent, dtype=torch.float64, requires_grad=True)

loss = torch.ops.stainfold.compaction_loss(z, tiles, temperature)
(gradient,) = torch.autograd.grad(loss, z)
expected = reference(z, tiles, temperature)
(expected_gradient,) = torch.autograd.grad(expected, z)

print(f"torch {torch.__version__}: loss {loss.item():.6f}, by the formula {expected.item():.6f}")
print(f"largest difference of the gradients {(gradient - expected_gradient).abs().max().item():.1e}")
assert torch.allclose(loss, expected, rtol=1e-10)
assert torch.allclose(gradient, expected_gradient, atol=1e-10)
