"""Made faces laid along their tracks: all that one frame takes from those before it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

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
        measured = [[(figures(made, self._options), misses(made)) for made in shown.faces] for shown in few]
        self._start(few, measured)
        for shown, of_scene in zip(few, measured, strict=True):
            patches = [
                self._patch(shown, made, numbers, miss)
                for made, (numbers, miss) in zip(shown.faces, of_scene, strict=True)
            ]
            yield shown.scene, Edit(tuple(patches), notes=shown.notes)

    def _start(self, few: Sequence[Shown], measured: Sequence[Sequence[tuple[Doubles, Doubles | None]]]) -> None:
        """Give the first figures of new tracks together, so that an odd first frame does not tint what follows."""
        first: dict[int, list[Doubles]] = defaultdict(list)
        missed: dict[int, list[Doubles]] = defaultdict(list)
        gaps: dict[int, list[Doubles]] = defaultdict(list)
        most = max((len(miss) for of_scene in measured for _, miss in of_scene if miss is not None), default=0)
        for shown, of_scene in zip(few, measured, strict=True):
            for made, (numbers, miss) in zip(shown.faces, of_scene, strict=True):
                first[made.view.face.track].append(numbers)
                gaps[made.view.face.track].append(gaps_of(made))
                if miss is not None and len(miss) == most:
                    missed[made.view.face.track].append(miss)
        self._figures.start(first)
        self._misses.start(missed)
        self._gaps.start(gaps)

    def _patch(self, shown: Shown, made: Made, numbers: Doubles, miss: Doubles | None) -> Patch:
        track, frame = made.view.face.track, shown.scene.frame
        steady = self._figures.known(track) if is_hidden(made) else None
        if steady is None:
            steady = self._figures.add(track, shown.time_s, numbers)
        place = made.view.face.landmarks[27:36].mean(axis=0).astype(np.float64)
        index, before = self._places.get(track, (frame.index, place))
        self._places[track] = (frame.index, place)
        across, down = (place - before) / max(1, frame.index - index)
        field, lips = self._field(shown, made, miss)
        setting = Setting(field, lips, (float(across), float(down)), (frame.index, track + 1), frame)
        return lay(made, numbers, steady, self._options, setting)

    def _field(self, shown: Shown, made: Made, miss: Doubles | None) -> tuple[Field | None, Doubles | None]:
        """How a made face is to be warped, and how far its lips then are from the clip's.

        Where the finder lost it, what is usual along its track is undone.
        """
        track, options = made.view.face.track, self._options
        known = self._misses.known(track)
        if miss is not None and known is not None:
            # Landmarks placed by hand where the finder saw no face are fewer.
            miss = miss[: len(known)] if len(miss) >= len(known) else None
        usual = known if miss is None else self._misses.add(track, shown.time_s, miss)
        if usual is None:
            return None, None
        missed = usual if miss is None else miss
        gaps = gaps_of(made)
        undone = mixed(missed, usual, options.steer, options.steer_shape)
        undone = shut(missed, undone, gaps, self._gaps.add(track, shown.time_s, gaps), options.steer)
        field = field_of(made.view.face, made.view.view_from_frame, len(made.picture), undone)
        return field, (missed - undone)[INNER_LIP_68]
