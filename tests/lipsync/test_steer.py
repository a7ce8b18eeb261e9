"""A table laid over a mouth track, and the gain on its opening."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lipsync import steer
from lipsync.controls import Controls, controls_of
from lipsync.curve import CurveTable, read_curve, write_curve
from lipsync.mouth import fit_basis
from lipsync.options import SyncOptions
from lipsync.predict import MouthTrack
from lipsync.steer import laid_over, steered, write_mouth
from lipsync.voice import Voice, lips_of
from shared.errors import ArtefactError, NoFaceError, UsageError
from shared.types import Floats, Sound
from tests.lipsync.conftest import face_points

BLEND_S = 0.08
OPTIONS = SyncOptions(voice=Path(), speech=None)


@pytest.fixture
def voice(voice: Voice) -> Voice:
    """The small voice, with mouths of every width for every opening."""
    rng = np.random.default_rng(0)
    points = np.array([face_points(float(opening)) for opening in np.linspace(0.0, 2.0, 60)])
    points[:, 48:68, 0] *= rng.uniform(0.8, 1.1, (60, 1))
    points += rng.normal(0, 0.02, points.shape).astype(np.float32)
    basis = fit_basis(lips_of(points))
    shapes = basis.encode(lips_of(points))
    return replace(
        voice, basis=basis, shapes=shapes, repertoire=shapes, rest=shapes[0], pool=replace(voice.pool, points=points)
    )


@pytest.fixture
def controls(voice: Voice) -> Controls:
    return controls_of(voice)


@pytest.fixture
def track(voice: Voice) -> MouthTrack:
    """Two seconds that open and shut, at rest in the last half second."""
    resting = np.zeros(200, dtype=np.float32)
    resting[150:] = 1.0
    sway = (0.5 - 0.5 * np.cos(np.arange(200) / 8))[:, np.newaxis] * (1 - resting[:, np.newaxis])
    shapes = voice.rest + sway.astype(np.float32) * (voice.shapes[50] - voice.rest)
    return MouthTrack(0.01275 + np.arange(200) / 100, shapes.astype(np.float32), resting)


def table_of(times_s: list[float], **columns: list[float]) -> CurveTable:
    """A table that says opening_mm or width_mm, or nothing."""
    nothing = [np.nan] * len(times_s)
    both = np.array([columns.get("opening_mm", nothing), columns.get("width_mm", nothing)], dtype=np.float32).T
    shapes = np.full((len(times_s), 20), np.nan, dtype=np.float32)
    return CurveTable(np.array(times_s), both, ("",) * len(times_s), shapes)


def opening(controls: Controls, track: MouthTrack, time_s: float) -> float:
    return float(controls.measure(track.at(time_s)[np.newaxis])[0, 0])


@pytest.mark.parametrize("name", ["curve.csv", "curve.json"])
def test_a_curve_that_is_written_and_read_again_changes_nothing(
    voice: Voice, controls: Controls, track: MouthTrack, tmp_path: Path, name: str
) -> None:
    other = replace(track, shapes=np.repeat(voice.rest[np.newaxis], 200, axis=0), resting=np.ones(200, np.float32))
    write_curve(tmp_path / name, track, controls, voice.basis)
    back = laid_over(other, read_curve(tmp_path / name), controls, BLEND_S)
    np.testing.assert_allclose(back.shapes[:200], track.shapes, atol=2e-5)
    np.testing.assert_array_equal(back.resting[:200], track.resting)


def test_an_opening_given_at_a_time_holds_there_and_its_neighbours_blend(controls: Controls, track: MouthTrack) -> None:
    edited = laid_over(track, table_of([0.50275], opening_mm=[3.0]), controls, BLEND_S)
    assert opening(controls, edited, 0.50275) == pytest.approx(3.0, abs=1e-3)
    away = np.abs(track.times_s - 0.50275) >= BLEND_S
    np.testing.assert_array_equal(edited.shapes[away], track.shapes[away])
    change = np.linalg.norm(edited.shapes - track.shapes, axis=1)
    assert np.all(np.diff(change[42:50]) > 0)
    assert np.all(np.diff(change[50:58]) < 0)


def test_a_change_of_the_opening_leaves_the_width_as_it_was(controls: Controls, track: MouthTrack) -> None:
    edited = laid_over(track, table_of([0.50275], opening_mm=[3.0]), controls, BLEND_S)
    np.testing.assert_allclose(controls.measure(edited.shapes)[:, 1], controls.measure(track.shapes)[:, 1], atol=2e-3)
    wider = laid_over(track, table_of([0.50275], width_mm=[50.0]), controls, BLEND_S)
    assert controls.measure(wider.shapes[49:50])[0] == pytest.approx(
        [opening(controls, track, 0.50275), 50.0], abs=2e-3
    )


def test_rows_near_to_each_other_meet_and_distant_ones_do_not(controls: Controls, track: MouthTrack) -> None:
    near = laid_over(track, table_of([0.4, 0.5], opening_mm=[9.0, 9.0]), controls, BLEND_S)
    distant = laid_over(track, table_of([0.4, 0.7], opening_mm=[9.0, 9.0]), controls, BLEND_S)
    base = [opening(controls, track, time_s) for time_s in (0.4, 0.45, 0.5)]
    halfway = base[1] + (9.0 - base[0] + 9.0 - base[2]) / 2
    assert opening(controls, near, 0.45) == pytest.approx(halfway, abs=0.05)
    assert opening(controls, distant, 0.55) == pytest.approx(opening(controls, track, 0.55), abs=1e-3)


def edited_cell(path: Path, row: int, **cells: str) -> None:
    lines = path.read_text().splitlines()
    names, values = lines[0].split(","), lines[row + 1].split(",")
    for name, value in cells.items():
        values[names.index(name)] = value
    lines[row + 1] = ",".join(values)
    path.write_text("\n".join(lines) + "\n")


@pytest.mark.parametrize("viseme", ["A", "D", "F", "G"])
def test_another_viseme_in_a_written_row_makes_that_mouth(
    voice: Voice, controls: Controls, track: MouthTrack, tmp_path: Path, viseme: str
) -> None:
    path = tmp_path / "curve.csv"
    write_curve(path, track, controls, voice.basis)
    row = 25 if viseme != "D" else 0
    edited_cell(path, row, viseme=viseme)
    edited = laid_over(track, read_curve(path), controls, BLEND_S)
    np.testing.assert_allclose(edited.shapes[row], controls.shape_of(viseme), atol=1e-4)
    np.testing.assert_allclose(edited.shapes[row + 1], track.shapes[row + 1], atol=1e-4)


def test_a_rest_taken_out_of_a_written_row_is_no_rest(
    voice: Voice, controls: Controls, track: MouthTrack, tmp_path: Path
) -> None:
    path = tmp_path / "curve.csv"
    write_curve(path, track, controls, voice.basis)
    edited_cell(path, 180, viseme="C")
    edited_cell(path, 25, viseme="X")
    edited = laid_over(track, read_curve(path), controls, BLEND_S)
    assert edited.resting[180] == 0.0
    assert edited.resting[25] == 1.0
    np.testing.assert_allclose(edited.shapes[25], voice.rest, atol=1e-4)
    assert opening(controls, edited, float(track.times_s[180])) > 4.0


def test_a_table_goes_on_after_the_speech(controls: Controls, track: MouthTrack) -> None:
    longer = laid_over(track, table_of([3.0], opening_mm=[8.0]), controls, BLEND_S)
    assert opening(controls, longer, 3.0) == pytest.approx(8.0, abs=0.2)
    assert opening(controls, longer, 9.0) == pytest.approx(opening(controls, track, 9.0), abs=0.2)
    np.testing.assert_allclose(np.diff(longer.times_s), 0.01, atol=1e-9)


def test_gain_opens_the_open_and_keeps_the_closed_closed(controls: Controls, track: MouthTrack) -> None:
    before = controls.measure(track.shapes)
    after = controls.measure(controls.widened(track.shapes, 1.2))
    closed = before[:, 0] <= controls.closed_mm
    np.testing.assert_allclose(after[closed], before[closed], atol=1e-3)
    middle = (before[:, 0] > 5.0) & (before[:, 0] < 10.0)
    grown = (after[middle, 0] - controls.closed_mm) / (before[middle, 0] - controls.closed_mm)
    np.testing.assert_allclose(grown, 1.2, atol=1e-3)
    assert float(controls.measure(controls.widened(track.shapes, 9.0))[:, 0].max()) <= controls.open_mm + 1e-3


def test_a_table_alone_moves_a_mouth_that_rests_elsewhere(voice: Voice, tmp_path: Path) -> None:
    path = tmp_path / "curve.csv"
    path.write_text("time_s,opening_mm\n1.0,6.5\n")
    made = steered(voice, replace(OPTIONS, mouth=path)).mouth
    controls = controls_of(voice)
    assert opening(controls, made, 1.0) == pytest.approx(6.5, abs=1e-2)
    np.testing.assert_array_equal(made.at(0.5), voice.rest)
    np.testing.assert_array_equal(made.at(5.0), voice.rest)


def test_shapes_of_another_voice_are_refused_and_its_openings_are_not(
    voice: Voice, controls: Controls, track: MouthTrack, tmp_path: Path
) -> None:
    path = tmp_path / "curve.json"
    write_curve(path, track, controls, replace(voice.basis, mean=voice.basis.mean + 1))
    with pytest.raises(UsageError, match="another voice"):
        steered(voice, replace(OPTIONS, mouth=path))


@pytest.fixture
def silence(monkeypatch: pytest.MonkeyPatch, track: MouthTrack) -> MouthTrack:
    """Speech in which nobody speaks."""
    resting = replace(track, resting=np.ones(200, dtype=np.float32))
    monkeypatch.setattr(steer, "load_sound", lambda *_: Sound(np.zeros(16_000, dtype=np.float32), 16_000))
    monkeypatch.setattr(steer, "predict_track", lambda *_: resting)
    return resting


def test_speech_in_which_nobody_speaks_is_refused_unless_something_else_moves_the_mouth(
    voice: Voice, silence: MouthTrack, tmp_path: Path
) -> None:
    options = replace(OPTIONS, speech=Path("music.wav"))
    with pytest.raises(NoFaceError, match=r"music\.wav: no voice is heard in it"):
        steered(voice, options)
    assert steered(voice, replace(options, rest=False)).mouth is silence
    path = tmp_path / "curve.csv"
    path.write_text("time_s,viseme\n1.0,D\n")
    made: Floats = steered(voice, replace(options, mouth=path)).mouth.shapes
    assert not np.array_equal(made, silence.shapes)


def test_handwork_is_not_written_over_unless_forced(
    voice: Voice, silence: MouthTrack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(steer, "open_voice", lambda _: voice)
    options = replace(OPTIONS, speech=Path("music.wav"), rest=False)
    path = tmp_path / "curve.csv"
    write_mouth(path, options, force=False)
    write_mouth(path, options, force=False)  # the same again
    edited_cell(path, 3, opening_mm="7")
    with pytest.raises(ArtefactError, match="handwork"):
        write_mouth(path, options, force=False)
    write_mouth(path, options, force=True)
    with pytest.raises(UsageError, match="--mouth is read from it"):
        write_mouth(path, replace(options, mouth=path), force=True)
    assert read_curve(path).times_s.shape == silence.times_s.shape
