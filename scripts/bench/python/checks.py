"""A rival is timed only after it has given the same result."""
import numpy


def difference(found, reference):
    """The largest difference from the .npy file, in units of its largest value."""
    wanted = numpy.load(reference)
    found = numpy.asarray(found)
    if found.shape != wanted.shape:
        raise RuntimeError(f"the result has the shape {found.shape}, not {wanted.shape}")
    if not numpy.isfinite(found).all():
        raise RuntimeError("the result is not finite")
    return float(numpy.abs(found - wanted).max() / numpy.abs(wanted).max())


def grey_levels(found, reference):
    """The mean difference of two pictures, as a share of a grey level's 255: single pixels lie on a threshold."""
    wanted = numpy.load(reference)
    if found.shape != wanted.shape:
        raise RuntimeError(f"the result has the shape {found.shape}, not {wanted.shape}")
    return float(numpy.abs(found - wanted).mean() / 255)
