"""What a network is trained on, made once: each sound as it is, and varied in a few ways, with the phones in it.

Hearing phones costs as much as all the rest of an update (`models.ear`), and does not change while the network learns.
Varied anew for every crop, a network of three minutes followed its own speaker no better and noise as well: with six
fixed ways, one of them as recorded and drawn for two crops in five, r of opening .872 instead of .864.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray

from lipsync.sounds import SoundOptions, silences, varied
from models.mouthnet import MouthModel
from shared.types import Floats

Halves: TypeAlias = NDArray[np.float16]
MOST: Final = 5
"""Ways in which a sound is varied..."""
FEWEST: Final = 1
ROWS: Final = 1_800_000
"""...as long as all of them together, laid end to end, have not more rows than this: 300 MB in half precision."""
PIECE: Final = 3000
"""Rows (30 s) that are varied as one: the next piece of a long clip has another room and another noise."""
TALKERS: Final = 3
"""Voices in babble."""
SILENCES: Final = 200
"""Crops in which nobody speaks."""


def heard(net: MouthModel, features: Floats) -> Floats:
    """One sound (T, inputs) as the network's training takes it: (T, columns) float32."""
    with torch.no_grad():
        return np.asarray(net.heard(torch.from_numpy(features)[None])[0].numpy())


def ways_for(rows: int) -> int:
    """In how many ways sounds of so many rows in all are varied."""
    return int(np.clip(ROWS // max(rows, 1), FEWEST, MOST))


def variants(
    net: MouthModel, sounds: Sequence[Floats], options: SoundOptions, generator: np.random.Generator, tail: int = 0
) -> list[list[Halves]]:
    """Each sound (T, inputs) varied in a few ways: for each way a list of them as `heard`, in half precision.

    Parameters
    ----------
    tail : rows that will be kept after each sound; they count for memory.
    """
    ways = ways_for(sum(sound.shape[0] + tail for sound in sounds))
    made: list[list[Halves]] = [[] for _ in range(ways)]
    for sound in sounds:
        pieces = []
        for at in range(0, len(sound), PIECE):
            piece = np.repeat(sound[np.newaxis, at : at + PIECE], ways, axis=0)
            others = _others(sounds, (TALKERS, *piece.shape[:2]), generator)
            pieces.append([heard(net, one).astype(np.float16) for one in varied(piece, others, options, generator)])
        for number, way in enumerate(made):
            way.append(np.concatenate([piece[number] for piece in pieces]))
    return made


def quiet(net: MouthModel, rows: int, options: SoundOptions, generator: np.random.Generator) -> Floats:
    """Crops of so many rows in which nobody speaks, as `heard`: (200, rows, columns) float32."""
    return np.array([heard(net, one) for one in silences(SILENCES, rows, options, generator)])


def _others(sounds: Sequence[Floats], size: tuple[int, int, int], generator: np.random.Generator) -> Floats:
    """Pieces (N, B, T, inputs) of sounds, each of any of them from any of its rows on, round and round."""
    talkers, ways, rows = size
    pieces = []
    for number in generator.integers(0, len(sounds), talkers * ways):
        sound = sounds[number]
        pieces.append(sound[(generator.integers(0, len(sound)) + np.arange(rows)) % len(sound)])
    return np.array(pieces).reshape(talkers, ways, rows, -1)
