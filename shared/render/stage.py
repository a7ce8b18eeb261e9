"""How engines are opened and run: named as strings, so that nothing here stands on an engine.

A stage gets scenes with the chosen faces only, and gives each scene back, in order, with its edit. It sees no path,
no terminal and no other stage; its patches are laid over the native planes here.
"""

from __future__ import annotations

import importlib
from collections import Counter, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from shared.picture.composite import composite
from shared.progress import Progress
from shared.render.job import Engine, StageRequest
from shared.types import Edit, Scene, Stage

OPENERS: dict[Engine, str] = {"swap": "faceswap.convert:open_stage", "sync": "lipsync.composite:open_stage"}
OPTIONS: dict[Engine, str] = {"swap": "faceswap.options:SwapOptions", "sync": "lipsync.options:SyncOptions"}
ARTEFACTS: dict[Engine, tuple[str, str]] = {"swap": ("model", "faceswap.model"), "sync": ("voice", "lipsync.voice")}
"""The option that names an engine's artefact, and the module that says its KIND and SCHEMA."""
DESCRIPTIONS: dict[Engine, str] = {
    "swap": "face swapped by a trained autoencoder",
    "sync": "mouth re-synced to speech from the person's own footage",
}


@dataclass(slots=True)
class Tally:
    """What the stages did to the frames, counted as they pass."""

    changed: Counter[Engine] = field(default_factory=Counter)
    """Frames that each engine changed."""
    notes: Counter[str] = field(default_factory=Counter)
    _waiting: set[int] = field(default_factory=set)
    """Changed frames that have not reached the end yet."""

    def add(self, engine: Engine, index: int, edit: Edit) -> None:
        """Count the edit of frame `index`."""
        self.notes.update(edit.notes)
        if edit.patches:
            self.changed[engine] += 1
            self._waiting.add(index)

    def was_changed(self, index: int) -> bool:
        """Whether any stage changed the frame that has come to the end; asked once a frame."""
        changed = index in self._waiting
        self._waiting.discard(index)
        return changed


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
        yield Scene(frame, before.faces if edit.faces is None else edit.faces)
    if given:
        raise ValueError(f"stage {engine} lost {len(given)} frames")
