"""Reading a picture at given places, in a form that every exporter understands."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def read_at(pictures: Tensor, places: Tensor) -> Tensor:
    """Pictures read with linear interpolation, their edges repeated outside.

    Parameters
    ----------
    pictures : (N or 1, C, H, W).
    places : (N, h, w, 2) x and y in [-1, 1], where -1 and 1 are the outer edges of the outer pixels.

    Returns
    -------
    (N, C, h, w).

    While a net is exported to ONNX, `gathered` takes the place of torch's own operation, which ONNX knows only from
    operator set 16 on.
    """
    if torch.onnx.is_in_onnx_export():
        return gathered(pictures, places)
    return functional.grid_sample(
        pictures.expand(places.shape[0], -1, -1, -1), places, padding_mode="border", align_corners=False
    )


def gathered(pictures: Tensor, places: Tensor) -> Tensor:
    """The same as `read_at`, written with gather operations: four neighbours, weighted; H and W at least 2."""
    channels, height, width = pictures.shape[1:]
    x = (((places[..., 0] + 1.0) * width - 1.0) / 2.0).clamp(0.0, width - 1.0)
    y = (((places[..., 1] + 1.0) * height - 1.0) / 2.0).clamp(0.0, height - 1.0)
    left, top = x.floor().clamp(max=width - 2.0), y.floor().clamp(max=height - 2.0)
    across, down = (x - left).unsqueeze(1), (y - top).unsqueeze(1)
    # Sizes stay tensors of the traced graph where they depend on the batch: len() would freeze them at the trace's own.
    flat = pictures.reshape(-1, channels, height * width).expand(places.shape[0], -1, -1)
    first = (top * width + left).long().reshape(places.shape[0], 1, -1).expand(-1, channels, -1)
    corners = [
        flat.gather(2, first + step).reshape(-1, channels, places.shape[1], places.shape[2])
        for step in (0, 1, width, width + 1)
    ]
    upper = corners[0] + (corners[1] - corners[0]) * across
    lower = corners[2] + (corners[3] - corners[2]) * across
    return upper + (lower - upper) * down
