"""Read the acoustic model that pocketsphinx ships (CMU Sphinx, en-us, BSD): means, variances, mixture weights.

Formats as in SphinxTrain's S3 files and pocketsphinx's ``sendump``; only the states that depend on no neighbour are
read, the first of the file.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Final

import numpy as np
import torch

from models.ear import CEPSTRA, DENSITIES, PHONES, STATES, STREAMS, Mixtures
from shared.errors import WeightsError
from shared.progress import Progress, silent
from shared.store.weights import weights_path
from shared.types import Floats

FILES: Final = ("sphinx_means", "sphinx_variances", "sphinx_weights")
"""Their names in the table of weights."""
BYTE_ORDER: Final = 0x11223344
HEADER_END: Final = b"endhdr\n"
DUMP_START: Final = b"feature_count 3\0"
LOG_STEP: Final = 1024 * float(np.log(1.0001))
"""A unit of a stored weight, in negative natural logarithms: base 1.0001, ten bits dropped."""
SMALLEST_VARIANCE: Final = 1e-4
"""The floor that the recogniser sets."""


def load_mixtures(progress: Progress = silent) -> Mixtures:
    """The acoustic model, fetched on first use.

    Raises
    ------
    WeightsError
        It cannot be fetched, or is of another layout.
    """
    means, variances, weights = (weights_path(name, progress) for name in FILES)
    return Mixtures(
        torch.from_numpy(read_gaussians(means)),
        torch.from_numpy(np.maximum(read_gaussians(variances), SMALLEST_VARIANCE)),
        torch.from_numpy(read_weights(weights)),
    )


def read_gaussians(path: Path) -> Floats:
    """Means or variances of all codebooks: (42, 3, 128, 13) float32."""
    shape = (len(PHONES), STREAMS, DENSITIES)
    lengths, count = (CEPSTRA,) * STREAMS, len(PHONES) * STREAMS * DENSITIES * CEPSTRA
    content = path.read_bytes()
    start = content.find(HEADER_END) + len(HEADER_END)
    head = struct.Struct("<I3i3ii")
    if len(content) < start + head.size or head.unpack_from(content, start) != (BYTE_ORDER, *shape, *lengths, count):
        raise _other_layout(path)
    return _taken(path, content, np.dtype("<f4"), count, start + head.size).reshape(*shape, CEPSTRA)


def read_weights(path: Path) -> Floats:
    """Weights of the densities in the states of phones without context: (3, 128, 126) float32."""
    content = path.read_bytes()
    start = content.find(DUMP_START)
    sizes = struct.Struct("<ii")
    place = content.find(struct.pack("<i", DENSITIES), start + len(DUMP_START))
    if start < 0 or place < 0 or len(content) < place + sizes.size:
        raise _other_layout(path)
    states = sizes.unpack_from(content, place)[1]
    if states < STATES * len(PHONES):
        raise _other_layout(path)
    stored = _taken(path, content, np.dtype("u1"), STREAMS * DENSITIES * states, place + sizes.size)
    near = stored.reshape(STREAMS, DENSITIES, states)[..., : STATES * len(PHONES)]
    return np.asarray(np.exp(-LOG_STEP * near), dtype=np.float32)


def _taken(path: Path, content: bytes, dtype: np.dtype[np.generic], count: int, start: int) -> Floats:
    if len(content) < start + count * dtype.itemsize:
        raise _other_layout(path)
    taken: Floats = np.frombuffer(content, dtype, count, start).astype(np.float32)
    return taken


def _other_layout(path: Path) -> WeightsError:
    return WeightsError(f"{path}: not the acoustic model that is wanted; remove the file, it is fetched anew")
