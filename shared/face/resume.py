"""A tracker's state in words and bytes, and back: JSON with exact floats, safetensors for its arrays, no pickle.

Pictures are not kept. The few frames that the state still looks at are decoded again on the way to where it stopped.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterable
from dataclasses import fields, is_dataclass
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from shared.face.cuts import Cuts
from shared.face.smooth import Seen, Window
from shared.face.state import Live, TrackState, TrackSummary
from shared.store.facewriter import Saved
from shared.types import Face, Frame, JsonObject

LAYOUT: Final = 1
"""Raised whenever the state is stored otherwise or means something else, so that none of another layout is taken up."""
_Glimpse: TypeAlias = tuple[int, list[Face], int]
"""A `Seen` without its picture: presentation time, faces, shot."""


class UnfitError(ValueError):
    """A saved state is damaged, of another layout, or of other frames."""


def pack(state: TrackState) -> Saved:
    """The state between two frames; ValueError where a frame waits for the next detection."""
    if state.pending:
        raise ValueError(f"expected a state in which no frame is pending, got {len(state.pending)}")
    arrays: dict[str, NDArray[Any]] = {}

    def plain(value: object) -> object:
        if isinstance(value, np.ndarray):
            arrays[str(len(arrays))] = np.ascontiguousarray(value)
            return {"array": len(arrays) - 1}
        if isinstance(value, Seen):
            return {"pts": value.frame.pts, "faces": value.faces, "shot": value.shot}
        if isinstance(value, deque):
            return list(value)
        if is_dataclass(value):
            return _fields(value) | ({"summary": value.summary.number} if isinstance(value, Live) else {})
        raise TypeError(f"expected numbers, lists, arrays and dataclasses of them, got {type(value).__name__}")

    facts = json.dumps({"layout": LAYOUT, "state": state}, default=plain)
    return Saved(state.last + 1, facts, save(arrays))


def unpack(saved: Saved, frames: Iterable[Frame]) -> TrackState:
    """The state that was saved, after reading `frames`, those of the clip from its first, up to where it stopped.

    Raises
    ------
    UnfitError : where it cannot be taken up.
    """
    try:
        state, window = _parsed(saved)
    except (KeyError, IndexError, TypeError, ValueError, SafetensorError) as error:
        raise UnfitError(f"not a state of layout {LAYOUT} ({type(error).__name__}: {error})") from error
    recent: deque[Frame] = deque(maxlen=max(1, len(window)))
    for frame in frames:
        recent.append(frame)
        if frame.index == state.last:
            break
    if not recent or recent[-1].index != state.last:
        raise UnfitError(f"the clip ends before frame {state.last}")
    if window and [frame.pts for frame in recent] != [pts for pts, _, _ in window]:
        raise UnfitError(f"the frames before {saved.frames} have other times")
    glimpses = zip(recent, window, strict=False)  # without smoothing there is no window
    state.window.seen.extend(Seen(frame, faces, shot) for frame, (_, faces, shot) in glimpses)
    return state


def _fields(value: Any) -> JsonObject:  # noqa: ANN401 - any dataclass
    return {field.name: getattr(value, field.name) for field in fields(value)}


def _parsed(saved: Saved) -> tuple[TrackState, list[_Glimpse]]:
    """The state but for its window, and what the window saw."""
    arrays = load(saved.arrays)

    def with_arrays(entry: JsonObject) -> object:
        return arrays[str(entry["array"])] if entry.keys() == {"array"} else entry

    stored = json.loads(saved.facts, object_hook=with_arrays)
    if stored["layout"] != LAYOUT:
        raise ValueError(f"layout {stored['layout']}")
    facts = stored["state"]
    summaries = [
        TrackSummary(**entry | {"doubtful": [(first, last) for first, last in entry["doubtful"]]})
        for entry in facts["summaries"]
    ]
    live, lost = (
        [
            Live(**entry | {"summary": summaries[entry["summary"]], "face": _face(entry["face"])})
            for entry in facts[name]
        ]
        for name in ("live", "lost")
    )
    seen = facts["window"].pop("seen")
    window = [(entry["pts"], [_face(face) for face in entry["faces"]], entry["shot"]) for entry in seen]
    parts = {
        "cuts": Cuts(**facts["cuts"]),
        "summaries": summaries,
        "live": live,
        "lost": lost,
        "window": Window(**facts["window"]),
    }
    return TrackState(**facts | parts), window


def _face(entry: JsonObject) -> Face:
    return Face(**entry | {"box": tuple(entry["box"]), "pose_deg": tuple(entry["pose_deg"])})
