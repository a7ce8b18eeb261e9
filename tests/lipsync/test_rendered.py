"""Rendered clips beside real ones: each figure on pictures whose difference is known."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from lipsync import rendered as module
from lipsync.alignment import Marks
from lipsync.bearing import TOLD, Bearing
from lipsync.curve import read_curve
from lipsync.gauge import Gauge, HeldClip
from lipsync.mouth import COEFFICIENTS
from lipsync.picture_figures import PICTURES, Shot, chin_box, mouth_box
from lipsync.predict import MouthTrack
from lipsync.rendered import ClipPictures, Renderer
from lipsync.rendered_table import RenderedTable, rendered_table, some_of
from lipsync.voice import Voice, lips_of
from shared.face.detect import Detection
from shared.face.pose import FacePose
from shared.progress import silent
from shared.types import Face, Floats, Frame, Patch, Picture, Sound

pytestmark = pytest.mark.usefixtures("weights")
FRAMES, SIZE = 15, (180, 160)
BOX = (20, 60, 140, 175)


class Follower:
    """Finds each face where it was, and remembers the frames."""

    turns = 0

    def __init__(self) -> None:
        self.seen: list[Frame] = []

    def detect(self, frame: Frame, thorough: bool = False) -> tuple[Detection, ...]:
        raise AssertionError(f"not asked for ({frame.index}, {thorough})")

    def look(self, frame: Frame, detection: Detection) -> Face | None:
        raise AssertionError(f"not asked for ({frame.index}, {detection})")

    def find(self, frame: Frame) -> tuple[Face, ...]:
        raise AssertionError(f"not asked for ({frame.index})")

    def follow(self, frame: Frame, faces: Sequence[Face]) -> tuple[Face | None, ...]:
        self.seen.append(frame)
        return tuple(None if frame.index == 3 else face for face in faces)


def scene(index: int) -> Picture:
    """A textured picture that moves a little from frame to frame."""
    rng = np.random.default_rng(0)
    grey = ndimage.gaussian_filter(rng.normal(0, 60, (SIZE[0] + 40, SIZE[1] + 40)), 2.0) * 5 + 128
    moved = ndimage.shift(grey, (0.1 * index, 0.05 * index), order=3)[20:-20, 20:-20]
    return np.repeat(np.clip(moved, 20, 235).astype(np.uint8)[..., np.newaxis], 3, axis=2)


def mask() -> Floats:
    """Soft edge around the lower face."""
    ys, xs = np.indices((BOX[3] - BOX[1], BOX[2] - BOX[0]))
    edge = np.minimum.reduce([ys, xs, BOX[3] - BOX[1] - 1 - ys, BOX[2] - BOX[0] - 1 - xs])
    return np.asarray(np.clip((edge - 2) / 8, 0.0, 1.0), dtype=np.float32)


@pytest.fixture
def clip(points_of: Callable[[float], Floats]) -> HeldClip:
    openings = 0.4 + 0.3 * np.sin(np.arange(FRAMES))
    everywhere = np.ones(FRAMES, dtype=bool)
    return HeldClip(
        path=Path("a.mp4"),
        sound=Sound(np.zeros(9600, dtype=np.float32), 16000),
        indices=np.arange(FRAMES),
        times_s=np.arange(FRAMES) / 25.0,
        lips=lips_of(np.array([points_of(float(one)) for one in openings])),
        speech=everywhere,
        pause=~everywhere,
        marks=Marks(),
        unheard=~everywhere,
    )


@pytest.fixture
def shots(
    monkeypatch: pytest.MonkeyPatch,
    points_of: Callable[[float], Floats],
    posed: Callable[..., FacePose],
    face_from: Callable[..., Face],
    framed: Callable[..., Frame],
) -> Callable[[str, Callable[[Picture, int], Picture]], None]:
    """Lets a row be made of the real frames by a change of each picture inside the mask."""
    changes: dict[str, Callable[[Picture, int], Picture]] = {}
    face = face_from(points_of(0.3), posed(0.0, 7.0, (80.0, 75.0)))

    def made(_: Renderer, clip: HeldClip, options: object) -> Iterator[Shot]:
        assert clip.indices.shape == (FRAMES,)
        row = "real" if options is None else str(options)
        for index in range(FRAMES):
            real, soft = scene(index), mask()
            other = changes[row](real, index) if row in changes else real
            whole = np.zeros((*SIZE, 1), dtype=np.float32)
            whole[BOX[1] : BOX[3], BOX[0] : BOX[2], 0] = soft
            blended = np.rint(real * (1 - whole) + other * whole).astype(np.uint8)
            patch = Patch(BOX, np.zeros((*soft.shape, 3), dtype=np.float32), soft)
            yield Shot(framed(real, index), framed(blended, index), face, (patch,))

    monkeypatch.setattr(Renderer, "_shots", made)
    monkeypatch.setattr(Renderer, "_options", lambda *given: given[1])
    monkeypatch.setattr(module, "make_finder", lambda *_: Follower())
    return changes.__setitem__


def table(voice: Voice, clip: HeldClip, rows: Sequence[str], points: Floats, tmp_path: Path) -> RenderedTable:
    renderer = Renderer(dict.fromkeys(rows, voice), tmp_path, "largest", "mesh")
    assert renderer.rows == ("real", "retrieval oracle", *rows)
    chosen = ("real", *rows)
    return rendered_table([clip, clip], chosen, renderer.render, Gauge(points), rows[0], 0, silent)


def test_each_figure_tells_what_was_done_to_the_picture(
    voice: Voice,
    clip: HeldClip,
    shots: Callable[[str, Callable[[Picture, int], Picture]], None],
    points_of: Callable[[float], Floats],
    tmp_path: Path,
) -> None:
    rng = np.random.default_rng(1)
    blur = lambda picture, _: ndimage.gaussian_filter(picture, (1.2, 1.2, 0))  # noqa: E731 - one of five
    shots("blurred", blur)
    shots("noisy", lambda picture, _: np.clip(picture + rng.normal(0, 12, picture.shape), 0, 255).astype(np.uint8))
    shots("darker", lambda picture, _: (picture * 0.8).astype(np.uint8))
    shots("flickering", lambda picture, index: np.clip(picture + 8.0 * (-1) ** index, 0, 255).astype(np.uint8))
    rows = ("same", "blurred", "noisy", "darker", "flickering")
    found = table(voice, clip, rows, points_of(0.3), tmp_path)
    told = {row.name: {key: one.mean for key, one in row.figures.items()} for row in found.rows}
    same = told["same"]
    assert same["ssim_mouth"] == pytest.approx(1.0)
    for key in ("sharpness_mouth_ratio", "flicker_ratio", "e_warp_ratio", "seam_ratio"):
        assert same[key] == pytest.approx(1.0, abs=1e-6), key
    assert same["spectrum_worst_db"] == pytest.approx(0.0, abs=1e-6)
    assert same["colour_step_delta_e"] == pytest.approx(0.0, abs=1e-6)
    assert np.isnan(same["psnr_mouth_db"])  # nothing differs
    assert told["blurred"]["sharpness_mouth_ratio"] < 0.6
    assert told["blurred"]["spectrum_worst_db"] < -3.0
    assert told["noisy"]["sharpness_mouth_ratio"] > 1.2
    assert told["noisy"]["flicker_ratio"] > 1.5
    assert told["noisy"]["psnr_mouth_db"] == pytest.approx(20 * np.log10(255 / 12), abs=1.0)
    assert told["noisy"]["psnr_chin_db"] == pytest.approx(20 * np.log10(255 / 12), abs=1.5)
    assert told["noisy"]["psnr_frame_db"] > told["noisy"]["psnr_mouth_db"] + 2
    assert told["darker"]["colour_step_delta_e"] > 2.0
    assert told["darker"]["seam_ratio"] > 1.1
    assert told["flickering"]["flicker_ratio"] > 1.5
    assert told["flickering"]["e_warp_ratio"] > 1.5
    assert "psnr_mouth_db" not in told["real"]
    by_name = {row.name: row for row in found.rows}
    assert by_name["blurred"].against["ssim_mouth"].mean == pytest.approx(told["blurred"]["ssim_mouth"] - 1.0)
    assert by_name["same"].against == {}


def test_the_mouth_is_measured_on_the_picture_and_absent_frames_are_left_out(
    monkeypatch: pytest.MonkeyPatch,
    voice: Voice,
    clip: HeldClip,
    shots: Callable[[str, Callable[[Picture, int], Picture]], None],
    points_of: Callable[[float], Floats],
    tmp_path: Path,
) -> None:
    follower = Follower()
    monkeypatch.setattr(module, "make_finder", lambda *_: follower)
    shots("paper", lambda picture, _: (picture * 0.5).astype(np.uint8))
    renderer = Renderer({"paper": voice}, tmp_path, "largest", "mesh")
    made = renderer.render("paper", clip)
    assert [frame.index for frame in follower.seen] == list(range(FRAMES))
    assert float(follower.seen[0].planes[0].mean()) < 0.9 * float(scene(0).mean())
    assert np.isnan(made.lips).all(axis=1).tolist() == [index == 3 for index in range(FRAMES)]
    np.testing.assert_allclose(made.lips[0], lips_of(points_of(0.3)[np.newaxis])[0], atol=0.15)
    assert made.outside == 0
    assert len(made.strip) == 10
    assert set(made.sums) == {one.key for one in PICTURES}
    assert renderer.render("real", clip).sums == {}


@pytest.mark.parametrize("row", ["retrieval oracle", "default"])
def test_mouths_of_a_clip_whose_sound_is_late_are_drawn_on_the_clock_of_its_pictures(
    voice: Voice, clip: HeldClip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, row: str
) -> None:
    rows_s = np.arange(40) / 100
    said = np.outer(np.sin(9.0 * rows_s), np.eye(COEFFICIENTS)[0]).astype(np.float32)
    track = MouthTrack(rows_s, said, np.zeros(40, dtype=np.float32))
    monkeypatch.setattr(module, "predict_track", lambda *_: track)
    late = replace(clip, late_s=0.05, times_s=clip.times_s + 0.05)
    curves = []
    for name, one in (("in sync", clip), ("late", late)):
        renderer = Renderer({"default": voice}, tmp_path / name, "largest", "mesh")
        options = renderer._options(row, voice, one)
        assert options.speech is None
        assert options.mouth is not None
        curves.append(read_curve(options.mouth))
    # The real mouths lie where the pictures are, whatever the sound does; those of a sound follow it 50 ms later.
    shift = 0 if row == "retrieval oracle" else 5
    size = len(curves[0].times_s) - 5
    in_sync, moved = (every.shapes for every in curves)
    assert in_sync is not None
    assert moved is not None
    np.testing.assert_allclose(moved[: size - shift], in_sync[shift:size], atol=2e-3)


def test_what_the_head_tells_is_taken_out_of_the_true_shapes_that_the_stage_will_bear(
    voice: Voice, clip: HeldClip, tmp_path: Path
) -> None:
    slopes = np.zeros((TOLD, COEFFICIENTS), dtype=np.float32)
    slopes[0, 0] = 1.0
    far = np.array([1e6], dtype=np.float32)
    bearing = Bearing(np.zeros(TOLD, np.float32), np.eye(TOLD, dtype=np.float32), far, slopes)
    seen = replace(clip, upper=np.full((FRAMES, TOLD), 0.2, dtype=np.float32))
    curves = []
    for name, one in (("plain", voice), ("knowing", replace(voice, bearing=bearing))):
        options = Renderer({"default": one}, tmp_path / name, "largest", "mesh")._options("retrieval oracle", one, seen)
        assert options.mouth is not None
        shapes = read_curve(options.mouth).shapes
        assert shapes is not None
        curves.append(shapes)
    np.testing.assert_allclose(curves[0] - curves[1], np.tile(0.2 * np.eye(20)[0], (len(curves[0]), 1)), atol=2e-3)


def test_what_changes_outside_the_mask_is_found(
    monkeypatch: pytest.MonkeyPatch,
    voice: Voice,
    clip: HeldClip,
    shots: object,
    framed: Callable[..., Frame],
    tmp_path: Path,
) -> None:
    assert shots is not None
    whole = Renderer._shots

    def spoiled(self: Renderer, clip: HeldClip, options: object) -> Iterator[Shot]:
        for shot in whole(self, clip, options):  # type: ignore[arg-type]
            picture = scene(shot.real.index).copy()
            picture[5, 5] += 9
            yield Shot(shot.real, framed(picture, shot.real.index), shot.face, shot.patches)

    monkeypatch.setattr(Renderer, "_shots", spoiled)
    assert Renderer({"paper": voice}, tmp_path, "largest", "mesh").render("paper", clip).outside == 9


def test_strips_are_a_line_a_row_and_short_ones_are_filled(
    clip: HeldClip, points_of: Callable[[float], Floats]
) -> None:
    picture = np.full((150, 150, 3), 200, dtype=np.uint8)

    def render(row: str, one: HeldClip) -> ClipPictures:
        return ClipPictures({}, one.lips, (picture,) * (10 if row == "real" else 4), 0)

    found = rendered_table([clip], ("real", "paper"), render, Gauge(points_of(0.3)), "paper", 0, silent)
    (sheet,) = found.strips
    assert sheet.shape == (302, 1518, 3)
    assert sheet[:150].mean() > 190
    assert sheet[152:, :600].mean() > 190
    assert sheet[152:, 620:].mean() == 32


def test_clips_are_chosen_evenly(clip: HeldClip) -> None:
    assert len(some_of([clip] * 9, 3)) == 3
    assert len(some_of([clip] * 2, 5)) == 2


def test_the_chin_box_holds_the_jaw_line_and_no_lip(points_of: Callable[[float], Floats]) -> None:
    points = np.asarray(points_of(1.0) * np.array([8.0, -8.0]) + [80.0, 60.0], dtype=np.float32)
    x0, y0, x1, y1 = chin_box(points, (400, 400))
    assert points[48:68, 1].max() - 1 <= y0 < points[8, 1] < y1 - 5
    assert (x0, x1 - 1) == pytest.approx((points[5, 0], points[11, 0]), abs=1.0)
    x0, y0, x1, y1 = chin_box(points + np.float32(1000.0), SIZE)
    assert x1 <= x0 or y1 <= y0


def test_the_mouth_box_keeps_its_size_and_stays_in_the_picture(points_of: Callable[[float], Floats]) -> None:
    boxes = []
    for opening in (0.0, 1.5):
        points = np.asarray(points_of(opening) * np.array([8.0, -8.0]) + [80.0, 60.0], dtype=np.float32)
        boxes.append(mouth_box(points, SIZE))
    sizes = [(x1 - x0, y1 - y0) for x0, y0, x1, y1 in boxes]
    assert abs(sizes[0][1] - sizes[1][1]) <= 1
    assert sizes[0][0] == pytest.approx(1.4 * 4.8 * 8, abs=2.5)
    x0, _, _, y1 = mouth_box(np.asarray(points - np.array([80.0, -90.0]), dtype=np.float32), SIZE)
    assert x0 == 0
    assert y1 == SIZE[0]
