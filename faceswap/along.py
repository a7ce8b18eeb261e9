"""Made faces laid along their tracks: all that one frame takes from those before it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from faceswap.chin import Chins
from faceswap.colours import is_hidden
from faceswap.lay import Setting, figures, lay
from faceswap.options import SwapOptions
from faceswap.steady import Steadied
from faceswap.steer import Field, field_of, gaps_of, misses, mixed, shut
from faceswap.view import Made, Shown
from shared.face.landmarks import INNER_LIP_68
from shared.types import Edit, Patch, Scene

Doubles = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class _Measured:
    """What one frame tells of a made face: its `figures`, its `misses`, and the clip's `gaps_of`."""

    figures: Doubles
    miss: Doubles | None
    gaps: Doubles


class Layer:
    """Lays made faces; holds what is steadied along each track."""

    def __init__(self, options: SwapOptions) -> None:
        self._options = options
        self._figures = Steadied(options.colour_window_s)
        self._misses = Steadied(options.steer_window_s)
        self._gaps = Steadied(options.steer_window_s)
        self._chins = Chins()
        self._places: dict[int, tuple[int, Doubles]] = {}

    def laid(self, few: Sequence[Shown]) -> Iterator[tuple[Scene, Edit]]:
        """Lay the faces of some consecutive scenes."""
        few = self._chins.put_right(few)
        measured = [[_measured(made, self._options) for made in shown.faces] for shown in few]
        self._start(few, measured)
        for shown, of_scene in zip(few, measured, strict=True):
            patches = [self._patch(shown, made, one) for made, one in zip(shown.faces, of_scene, strict=True)]
            yield shown.scene, Edit(tuple(patches), notes=shown.notes)

    def _start(self, few: Sequence[Shown], measured: Sequence[Sequence[_Measured]]) -> None:
        """Give the first figures of new tracks together, so that an odd first frame does not tint what follows."""
        tracks = [made.view.face.track for shown in few for made in shown.faces]
        every = list(zip(tracks, (one for of_scene in measured for one in of_scene), strict=True))
        most = max((len(one.miss) for _, one in every if one.miss is not None), default=0)
        self._figures.start((track, one.figures) for track, one in every)
        self._misses.start((track, one.miss) for track, one in every if one.miss is not None and len(one.miss) == most)
        self._gaps.start((track, one.gaps) for track, one in every)

    def _patch(self, shown: Shown, made: Made, measured: _Measured) -> Patch:
        track, frame = made.view.face.track, shown.scene.frame
        steady = self._figures.known(track) if is_hidden(made) else None
        if steady is None:
            steady = self._figures.add(track, shown.time_s, measured.figures)
        place = made.view.face.landmarks[27:36].mean(axis=0).astype(np.float64)
        index, before = self._places.get(track, (frame.index, place))
        self._places[track] = (frame.index, place)
        across, down = (place - before) / max(1, frame.index - index)
        field, lips = self._field(shown, made, measured)
        setting = Setting(field, lips, (float(across), float(down)), (frame.index, track + 1), frame)
        return lay(made, measured.figures, steady, self._options, setting)

    def _field(self, shown: Shown, made: Made, measured: _Measured) -> tuple[Field | None, Doubles | None]:
        """How a made face is to be warped, and how far its lips then are from the clip's.

        Where the finder lost it, what is usual along its track is undone.
        """
        track, options, miss = made.view.face.track, self._options, measured.miss
        known = self._misses.known(track)
        if miss is not None and known is not None:
            # Landmarks placed by hand where the finder saw no face are fewer.
            miss = miss[: len(known)] if len(miss) >= len(known) else None
        usual = known if miss is None else self._misses.add(track, shown.time_s, miss)
        if usual is None:
            return None, None
        missed = usual if miss is None else miss
        gaps = self._gaps.add(track, shown.time_s, measured.gaps)
        undone = mixed(missed, usual, options.steer, options.steer_shape)
        undone = shut(missed, undone, measured.gaps, gaps, options.steer)
        field = field_of(made.view.face, made.view.view_from_frame, len(made.picture), undone)
        return field, (missed - undone)[INNER_LIP_68]


def _measured(made: Made, options: SwapOptions) -> _Measured:
    return _Measured(figures(made, options), misses(made), gaps_of(made))
