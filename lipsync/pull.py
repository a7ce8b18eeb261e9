"""Shifts known at some points of a face, spread smoothly to all of it."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from shared.picture.warp import resize
from shared.types import Floats, IntBox, Matrix

LATTICE: Final = 8.0
"""Steps of the lattice in one width of the kernel."""
STIFFNESS: Final = 0.03
"""Smoothing of the pulls, which are noisy by a part of a pixel."""


class Pull:
    """Shifts known at some places spread to all: Gaussians whose sum meets them, nearly; far away nothing moves."""

    def __init__(self, places: Floats, shifts: Floats, width: float) -> None:
        self._places = places.astype(np.float64)
        self._width = max(width, 1.0)
        x, y = self._places.T
        squares = (x[:, np.newaxis] - x) ** 2 + (y[:, np.newaxis] - y) ** 2
        kernel = np.exp(squares / (-2 * self._width**2)) + STIFFNESS * np.eye(places.shape[0])
        self._weights = np.linalg.solve(kernel, shifts.astype(np.float64)).astype(np.float32)

    def at(self, points: Floats) -> Floats:
        """Shifts (N, 2) at points (N, 2)."""
        # About the middle of the places: far from it single precision would not do. A column at a time: sums along an
        # axis of two are slow, and products of matrices wake threads.
        middle = self._places.mean(axis=0)
        near, places = (points - middle).astype(np.float32), (self._places - middle).astype(np.float32)
        squares = (near[:, :1] - places[:, 0]) ** 2
        squares += (near[:, 1:] - places[:, 1]) ** 2
        squares *= np.float32(-1 / (2 * self._width**2))
        pulls = np.exp(squares, out=squares)
        return np.stack([np.einsum("np,p->n", pulls, column) for column in self._weights.T], axis=1)

    def through(self, to_from: Matrix, box: IntBox) -> tuple[Floats, Floats]:
        """Where the pixels of a box come to lie by their shifts and then an affine map: x and y, each (h, w).

        Computed on a lattice much finer than the kernel, a step larger than the box, and interpolated.
        """
        step = max(1, int(self._width / LATTICE))
        height, width = box[3] - box[1], box[2] - box[0]
        columns, rows = _middles(box[0], width, step), _middles(box[1], height, step)
        # A Gaussian of two coordinates is a product of two of one. Products of matrices wake threads.
        across, down = (
            np.exp((self._places[:, axis, np.newaxis] - lines) ** 2 / (-2 * self._width**2)).astype(np.float32)
            for axis, lines in enumerate((columns, rows))
        )
        shift_x, shift_y = (np.einsum("yp,px->yx", down.T * weights, across) for weights in self._weights.T)
        x, y = columns + shift_x, rows[:, np.newaxis] + shift_y
        map_x, map_y = (
            resize((by_x * x + by_y * y + rest).astype(np.float32), (step * rows.size, step * columns.size))
            for by_x, by_y, rest in to_from[:2]
        )
        inside = slice(step, step + height), slice(step, step + width)
        return map_x[inside], map_y[inside]


def _middles(start: int, length: int, step: int) -> NDArray[np.float64]:
    """Middles of steps, one before `start`, one past the length: where a linear enlargement puts its samples."""
    return np.asarray(start + (np.arange(-1, -(-length // step) + 1) + 0.5) * step - 0.5, dtype=np.float64)
