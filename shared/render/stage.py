"""How engines are opened and run: named as strings, so that nothing here stands on an engine.

A stage gets scenes with the chosen faces only, and gives each scene back, in order, with its edit. It sees no path,
no terminal and no other stage; its patches are laid over the native planes here.
"""

from __future__ import annotations

import importlib
from collections import Counter, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from shared.picture.composite import composite
from shared.progress import Progress
from shared.render.job import Engine, StageRequest
from shared.types import Edit, Patch, Scene, Stage

OPENERS: dict[Engine, str] = {"swap": "faceswap.convert:open_stage", "sync": "lipsync.composite:open_stage"}
OPTIONS: dict[Engine, str] = {"swap": "faceswap.options:SwapOptions", "sync": "lipsync.options:SyncOptions"}
ARTEFACTS: dict[Engine, tuple[str, str]] = {"swap": ("model", "faceswap.model"), "sync": ("voice", "lipsync.voice")}
"""The option that names an engine's artefact, and the module that says its KIND and SCHEMA."""
CHECKS: dict[Engine, str] = {"swap": "faceswap.model:open_model", "sync": "lipsync.voice:open_voice"}
"""What opens an engine's artefact, or says what is wrong with it."""
DESCRIPTIONS: dict[Engine, str] = {
    "swap": "face swapped by a trained autoencoder",
    "sync": "mouth re-synced to speech from the person's own footage",
}


@dataclass(slots=True)
class _UnderWay:
    """What is known of a frame that is not written yet."""

    with_face: bool = False
    damaged: int = 0
    engines: list[Engine] = field(default_factory=list)
    """Those that changed it."""
    notes: list[str] = field(default_factory=list)
    patches: list[Patch] = field(default_factory=list)


@dataclass(slots=True)
class Tally:
    """What was done to the frames that are written; decoder and stages run ahead, and an interrupt may come."""

    keep_patches: bool = False
    """Hold the patches of frames under way, for `patches_of`."""
    frames: int = 0
    with_face: int = 0
    damaged: int = 0
    """Frames that could not be decoded, up to the last one written."""
    touched: int = 0
    """Frames that any engine changed."""
    changed: Counter[Engine] = field(default_factory=Counter)
    """Frames that each engine changed."""
    notes: Counter[str] = field(default_factory=Counter)
    noted_frames: dict[str, list[tuple[int, int]]] = field(default_factory=dict)
    """First and last frame of each run of frames that bear a note."""
    _under_way: dict[int, _UnderWay] = field(default_factory=dict)

    def begin(self, index: int, with_face: bool, damaged: int) -> None:
        """Note that frame `index` was decoded, and how many before it could not be."""
        self._under_way[index] = _UnderWay(with_face, damaged)

    def add(self, engine: Engine, index: int, edit: Edit) -> None:
        """Note what an engine did to frame `index`."""
        one = self._under_way.setdefault(index, _UnderWay())
        one.notes += edit.notes
        if edit.patches:
            one.engines.append(engine)
        if self.keep_patches:
            one.patches += edit.patches

    def patches_of(self, index: int) -> tuple[Patch, ...]:
        """All that was laid over frame `index`, in order; nothing where patches are not kept."""
        return tuple(self._under_way[index].patches)

    def written(self, index: int) -> None:
        """Count frame `index` with all that was noted of it."""
        one = self._under_way.pop(index)
        self.frames += 1
        self.with_face += one.with_face
        self.damaged = max(self.damaged, one.damaged)
        self.touched += bool(one.engines)
        self.changed.update(one.engines)
        self.notes.update(one.notes)
        for note in dict.fromkeys(one.notes):
            runs = self.noted_frames.setdefault(note, [])
            goes_on = bool(runs) and runs[-1][1] == index - 1
            first = runs.pop()[0] if goes_on else index
            runs.append((first, index))


def load(name: str) -> Any:  # noqa: ANN401 - whatever the string names
    """Import what a string such as ``package.module:name`` names."""
    module, _, attribute = name.partition(":")
    return getattr(importlib.import_module(module), attribute)


def open_stage(request: StageRequest, clip: object, device: str, progress: Progress) -> Stage:
    """Open an engine on the analysed clip: models load here, before the first frame is decoded."""
    opener: Callable[[object, object, str, Progress], Stage] = load(OPENERS[request.engine])
    return opener(request.options, clip, device, progress)


def run(stage: Stage, scenes: Iterator[Scene], engine: Engine, tally: Tally) -> Iterator[Scene]:
    """Pass scenes through a stage and lay its patches over them; an unpatched frame stays the same object.

    Raises
    ------
    ValueError
        The stage lost or reordered a frame.
    """
    given: deque[int] = deque()

    def noted() -> Iterator[Scene]:
        for scene in scenes:
            given.append(scene.frame.index)
            yield scene

    for before, edit in stage(noted()):
        if not given or before.frame.index != given.popleft():
            raise ValueError(f"stage {engine} gave frame {before.frame.index} out of order")
        tally.add(engine, before.frame.index, edit)
        frame = composite(before.frame, edit.patches) if edit.patches else before.frame
        yield replace(before, frame=frame, faces=before.faces if edit.faces is None else edit.faces)
    if given:
        raise ValueError(f"stage {engine} lost {len(given)} frames")
