"""Views into planes."""

from engine.kernels.table import Array, Place


def inside(plane: Array, place: Place, h: int, w: int, L: int) -> Array:
    """Return the image [h, w, L] at `place`."""
    start, first = place
    return plane[start : start + h, start : start + w, first : first + L]


def split(image: Array, C: int) -> Array:
    """Return [h, w, L] as [h, w, N, C], L = N * C. To split an axis never takes a copy."""
    h, w, L = image.shape
    return image.reshape(h, w, L // C, C)
