"""What stays of hands and microphones that pass in front of a swapped face, and what a clean face loses for it.

    python benchmarks/occluders.py MODEL CLIP... [--swap-direction] [--mask extended] [--sheet PNG]

Into each clip a hand of the person's own skin and a microphone are composited with a known alpha, each in a copy of
its own. An occluder's pixel (alpha above a half) counts as unchanged where no sample of the finished frame, before
encoding, is more than 2/255 from the composited one. `inside` are those pixels that the swap would have painted over,
had it not looked for occluders; `all` is the whole thing. `face_lost` is the share of the mask that the search costs
where nothing is in front.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from machine import report
from occluder_drawn import Kind, drawn

from faceswap.convert import open_stage
from faceswap.options import SwapOptions
from shared.face.analyse import ClipFaces, analyse, pick_tracks
from shared.media.options import EncodeOptions
from shared.media.reader import open_clip
from shared.media.writer import open_writer
from shared.picture.composite import composite
from shared.picture.image import contact_sheet, write_png
from shared.picture.planes import cut
from shared.picture.warp import to_float
from shared.store.artefact import cache_folder
from shared.types import Face, Floats, Frame, Patch, Scene

KINDS: tuple[Kind, ...] = ("hand", "microphone")
UNCHANGED = 2.5 / 255
PLACES = {"hand": (0.28, 0.30, 0.5, 0.35), "microphone": (0.05, 0.42, 0.42, -0.3)}
"""Where a thing comes to rest: across and down from the face's middle and its size, in face heights; turn, radians."""


@dataclass
class Tally:
    """Pixels counted."""

    inside: int = 0
    inside_kept: int = 0
    whole: int = 0
    whole_kept: int = 0
    face: float = 0.0
    face_left: float = 0.0


def things(kind: Kind, face: Face, share: float, skin: Floats, size: tuple[int, int], seed: int) -> Patch | None:
    """The thing at a `share` of its way in front of a face."""
    low, high = face.landmarks.min(axis=0), face.landmarks.max(axis=0)
    middle, tall = (low + high) / 2, float(high[1] - low[1])
    across, down, unit, turn = PLACES[kind]
    away = 1.6 * max(0.0, 1 - share * 2) + 1.6 * max(0.0, share * 2 - 1.5)
    place = middle + tall * np.array([across + 0.5 * away + 0.06 * np.sin(9 * share), down + away])
    return drawn(kind, place.astype(np.float64), unit * tall, turn + 0.2 * np.sin(6 * share), skin, size, seed)


def skin_of(frame: Frame, face: Face) -> Floats:
    """Mean colour of both cheeks, (3,)."""
    patches = []
    for points in ((2, 31, 41, 48), (14, 35, 46, 54)):
        x, y = np.rint(face.landmarks[list(points)].mean(axis=0)).astype(int)
        patches.append(to_float(cut(frame, (int(x) - 3, int(y) - 3, int(x) + 4, int(y) + 4))).reshape(-1, 3))
    return np.asarray(np.concatenate(patches).mean(axis=0) * 1.05, dtype=np.float32)


def covered(clip: Path, kind: Kind, output: Path, most: int) -> list[Patch | None]:
    """Write a copy of a clip with the thing in front of its largest face; the patches laid, frame by frame."""
    patches: list[Patch | None] = []
    with analyse(clip, cache_folder()) as faces, open_clip(clip) as reader:
        tracks = pick_tracks(faces, "largest")
        skin: Floats | None = None
        with open_writer(output, reader.info, EncodeOptions(codec="ffv1", lossless=True)) as writer:
            for frame in reader.frames():
                if frame.index >= most:
                    break
                face = next((face for face in faces.faces_at(frame.index) if face.track in tracks), None)
                patch = None
                if face is not None:
                    skin = skin_of(frame, face) if skin is None else skin
                    patch = things(kind, face, (frame.index / most), skin, frame.size, seed=frame.index // 1000)
                patches.append(patch)
                writer.write(composite(frame, [patch]) if patch is not None else frame)
    return patches


def swaps(clip: Path, options: SwapOptions, most: int) -> Iterator[tuple[Scene, tuple[Patch, ...]]]:
    """Each scene of a clip with its swap's patches."""
    with analyse(clip, cache_folder()) as faces, open_clip(clip) as reader:
        stage = open_stage(options, faces, "cpu")
        for scene, edit in stage(_scenes(reader.frames(), faces, most)):
            yield scene, edit.patches


def _scenes(frames: Iterator[Frame], faces: ClipFaces, most: int) -> Iterator[Scene]:
    tracks = pick_tracks(faces, "largest")
    for frame in frames:
        if frame.index >= most:
            return
        yield faces.scene(frame, tracks)


def spread(patch: Patch | None, size: tuple[int, int]) -> Floats:
    """A patch's mask over the whole frame."""
    mask = np.zeros(size, dtype=np.float32)
    if patch is not None:
        x0, y0, x1, y1 = patch.box
        left, top = max(0, x0), max(0, y0)
        right, low = min(x1, size[1]), min(y1, size[0])
        if right > left and low > top:
            mask[top:low, left:right] = patch.mask[top - y0 : low - y0, left - x0 : right - x0]
    return mask


def measured(
    clip: Path, kind: Kind | None, options: SwapOptions, most: int, folder: Path, sheet: list[Any]
) -> dict[str, Any]:
    """One clip with one thing in front, or clean where `kind` is None."""
    path, laid = clip, [None] * most
    if kind is not None:
        path = folder / f"{clip.stem}-{kind}.mkv"
        laid = covered(clip, kind, path, most)
    tally = Tally()
    bare = swaps(path, replace(options, occluders=0.0), most)
    for (scene, patches), (_, naked) in zip(swaps(path, options, most), bare, strict=True):
        if not patches or not naked:
            continue
        frame = scene.frame
        would, did = spread(naked[0], frame.size), spread(patches[0], frame.size)
        thing = spread(laid[frame.index], frame.size) > 0.5
        before = to_float(cut(frame, (0, 0, frame.size[1], frame.size[0])))
        finished = composite(frame, patches)
        after = to_float(cut(finished, (0, 0, frame.size[1], frame.size[0])))
        kept = np.abs(after - before).max(axis=-1) <= UNCHANGED
        inside = thing & (would > 0)
        tally.inside += int(inside.sum())
        tally.inside_kept += int((inside & kept).sum())
        tally.whole += int(thing.sum())
        tally.whole_kept += int((thing & kept).sum())
        tally.face += float(would[~thing].sum())
        tally.face_left += float(did[~thing].sum())
        if frame.index in (most // 4, most // 2, most * 3 // 5):
            x0, y0, x1, y1 = (round(value) for value in scene.faces[0].box)
            box = (x0 - 30, y0 - 30, x1 + 30, y1 + 50)
            shown = [cut(frame, box), cut(composite(frame, naked), box), cut(finished, box)]
            sheet.append(np.concatenate(shown, axis=1))
    return {
        "clip": clip.name,
        "occluder": kind or "none",
        "unchanged_inside": round(tally.inside_kept / tally.inside, 4) if tally.inside else None,
        "unchanged_all": round(tally.whole_kept / tally.whole, 4) if tally.whole else None,
        "face_lost": round(1 - tally.face_left / max(tally.face, 1e-9), 4),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("clips", type=Path, nargs="+")
    parser.add_argument("--swap-direction", action="store_true")
    parser.add_argument("--mask", default=None, help="as of lipswap swap")
    parser.add_argument("--frames", type=int, default=75)
    parser.add_argument("--sheet", type=Path, help="PNG: with the thing | swapped over it | swapped behind it")
    chosen = parser.parse_args()
    options = SwapOptions(model=chosen.model, swap_direction=chosen.swap_direction)
    options = replace(options, mask=chosen.mask) if chosen.mask else options
    rows, sheet = [], []
    with tempfile.TemporaryDirectory() as folder:
        for clip in chosen.clips:
            for kind in (*KINDS, None):
                rows.append(measured(clip, kind, options, chosen.frames, Path(folder), sheet))
    if chosen.sheet:
        write_png(chosen.sheet, contact_sheet(sheet, 2, (240, 600)))
    report({"model": str(chosen.model), "options": options.mask, "rows": rows})


if __name__ == "__main__":
    main()
