"""Made clips, made faces and simple stages, so that the render is tested without any network."""

from __future__ import annotations

from collections.abc import Container, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Self

import av
import numpy as np

from shared.errors import ArtefactError
from shared.media.options import EncodeOptions
from shared.store.artefact import artefact, fingerprint
from shared.types import Counts, Edit, Face, Floats, Frame, Patch, Scene, Stage

KIND, SCHEMA = "paint", 1
LOSSLESS = EncodeOptions(lossless=True)
SIZE = (96, 128)
FRAMES = 20
BOX = (40, 24, 88, 72)
WITHOUT_FACE = frozenset(range(8, 12))


def face(track: int = 0, box: tuple[int, int, int, int] = BOX) -> Face:
    return Face(tuple(map(float, box)), np.zeros((68, 2), np.float32), None, 1.0, track)  # type: ignore[arg-type]


@dataclass
class MadeFaces:
    """Stands in for the analysed faces of a clip."""

    found: dict[int, tuple[Face, ...]]
    frames: int = FRAMES
    tracks: tuple[SimpleNamespace, ...] = (SimpleNamespace(number=0, person=0, frames=FRAMES, size_px=48.0),)
    shots: int = 1
    counts: Counts = field(init=False)

    def __post_init__(self) -> None:
        self.counts = Counts(self.frames, sum(map(bool, self.found.values())))

    closed: int = 0

    def faces_at(self, index: int) -> tuple[Face, ...]:
        if self.closed:
            raise ValueError("these faces were closed")
        return self.found.get(index, ())

    def scene(self, frame: Frame, tracks: Container[int]) -> Scene:
        return Scene(frame, tuple(face for face in self.faces_at(frame.index) if face.track in tracks))

    def time_of(self, index: int) -> float:
        return index / 25

    def close(self) -> None:
        self.closed += 1

    def __enter__(self) -> Self:
        self.closed = 0
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@dataclass(frozen=True)
class PaintOptions:
    """Options of the stage that paints."""

    red: float = 1.0
    model: Path | None = None
    voice: Path | None = None
    speech: Path | None = None
    driver: Path | None = None
    swap_direction: bool = False


def make_artefact(path: Path, kind: str = KIND) -> Path:
    """What the stage that paints takes for a model or voice."""
    with artefact(path, kind, SCHEMA, fingerprint(kind=kind)):
        return path


def open_paint(folder: Path) -> None:
    """Refuse what a test marked as damaged."""
    if (folder / "damaged").exists():
        raise ArtefactError(f"{folder}: this paint is damaged")


def paint(options: object, *_: object) -> Stage:
    """A stage that lays a colour over each face, whatever the engine whose options it is given."""
    red: float = getattr(options, "red", 1.0)

    def stage_of(scenes: Iterator[Scene]) -> Iterator[tuple[Scene, Edit]]:
        for scene in scenes:
            patches = tuple(painted(f, red) for f in scene.faces)
            yield scene, Edit(patches, notes=() if patches else ("no-face",))

    return stage_of


def painted(seen: Face, red: float) -> Patch:
    x0, y0, x1, y1 = (round(v) for v in seen.box)
    mask: Floats = np.ones((y1 - y0, x1 - x0), np.float32)
    mask[0], mask[-1], mask[:, 0], mask[:, -1] = 0, 0, 0, 0
    picture = np.zeros((*mask.shape, 3), np.float32)
    picture[..., 0] = red
    return Patch((x0, y0, x1, y1), picture, mask)


def make_clip(path: Path, frames: int = FRAMES, codec: str = "libx264", sound: bool = True) -> Path:
    """A clip of drifting smooth texture with a tone."""
    rng = np.random.default_rng(3)
    coarse = rng.integers(40, 200, (SIZE[0] // 8 + 4, SIZE[1] // 8 + 4, 3), dtype=np.uint8)
    large = np.kron(coarse, np.ones((8, 8, 1), np.uint8))
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=Fraction(25))
        assert isinstance(stream, av.VideoStream)
        stream.height, stream.width, stream.pix_fmt = *SIZE, "yuv420p"
        tone = container.add_stream("aac", rate=16000, layout="mono") if sound else None
        for index in range(frames):
            picture = large[index % 24 : index % 24 + SIZE[0], : SIZE[1]]
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")))
        container.mux(stream.encode())
        if tone is not None:
            assert isinstance(tone, av.AudioStream)
            samples = np.sin(np.arange(16000 * frames // 25) * 0.1).astype(np.float32)[None] * 0.3
            block = av.AudioFrame.from_ndarray(samples, format="fltp", layout="mono")
            block.sample_rate = 16000
            container.mux(tone.encode(block))
            container.mux(tone.encode())
    return path
