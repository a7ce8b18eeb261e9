"""Corrections: laid over the faces found, interpolated inside the shot, fading outside, kept in the user's data."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from shared.errors import ArtefactError, MediaError
from shared.face.correct import FADE_FRAMES, LOST_FRAMES, Corrected, moved
from shared.face.landmarks import landmarks_from_mesh
from shared.store.corrections import Correction, correct, corrections_digest, corrections_of, handwork_folder
from shared.types import Face, Floats

pytestmark = pytest.mark.usefixtures("weights")
RIGHT_BY = np.array([3.0, 0.0], dtype=np.float32)


def points_at(number: int, size: float = 1.0) -> Floats:
    """A face that moves to the right, two pixels a frame."""
    around = np.linspace(0, 2 * np.pi, 68, endpoint=False)
    points = np.stack([np.cos(around) * 40, np.sin(around) * 50], axis=1) * size
    return np.asarray(points + (np.array([100 + 2 * number, 100])), dtype=np.float32)


def face_at(number: int, size: float = 1.0) -> Face:
    points = points_at(number, size)
    (x0, y0), (x1, y1) = points.min(axis=0), points.max(axis=0)
    return Face((float(x0), float(y0), float(x1), float(y1)), points, None, 0.9, track=0)


def shot_of(number: int) -> int:
    return int(number >= 30)


def corrected(*those: Correction, lost: tuple[int, ...] = ()) -> Corrected:
    return Corrected(those, lambda number: [] if number in lost else [face_at(number)], shot_of)


def shift(laid: Corrected, number: int, faces: tuple[Face, ...] | None = None) -> Floats:
    """How far the face of a frame was moved, by its mean."""
    (face,) = laid.at(number, shot_of(number), (face_at(number),) if faces is None else faces)
    return np.asarray((face.landmarks - points_at(number)).mean(axis=0))


def test_a_corrected_face_is_as_it_was_put_and_its_neighbours_fade() -> None:
    laid = corrected(Correction(10, 0, points_at(10) + RIGHT_BY))
    assert shift(laid, 10) == pytest.approx(RIGHT_BY, abs=1e-4)
    fading = [float(shift(laid, 10 + step)[0]) for step in range(1, FADE_FRAMES + 2)]
    assert fading == pytest.approx([3 * (1 - step / (FADE_FRAMES + 1)) for step in range(1, FADE_FRAMES + 2)], abs=1e-3)


def test_between_two_corrections_the_change_is_interpolated_on_the_moving_face() -> None:
    laid = corrected(Correction(10, 0, points_at(10) + RIGHT_BY), Correction(20, 0, points_at(20) - RIGHT_BY))
    assert [float(shift(laid, number)[0]) for number in (10, 12, 15, 18, 20)] == pytest.approx(
        [3.0, 1.8, 0.0, -1.8, -3.0], abs=1e-3
    )


def test_a_change_grows_and_turns_with_the_face() -> None:
    laid = corrected(Correction(10, 0, points_at(10) + RIGHT_BY))
    (face,) = laid.at(11, 0, (face_at(11, size=2.0),))
    weight = FADE_FRAMES / (FADE_FRAMES + 1)
    assert (face.landmarks - points_at(11, 2.0)).mean(axis=0) == pytest.approx(RIGHT_BY * 2 * weight, abs=1e-3)


def test_no_correction_crosses_a_cut_or_another_track() -> None:
    laid = corrected(Correction(29, 0, points_at(29) + RIGHT_BY))
    assert shift(laid, 30) == pytest.approx([0, 0], abs=1e-6)
    other = Face(face_at(29).box, points_at(29), None, 0.9, track=1)
    found = laid.at(29, 0, (other,))
    assert [face.track for face in found] == [0, 1]
    assert found[1] is other


def test_a_face_that_was_lost_between_two_corrections_is_there() -> None:
    laid = corrected(Correction(10, 0, points_at(10)), Correction(14, 0, points_at(14)), lost=(11, 12, 13))
    (face,) = laid.at(12, 0, ())
    assert face.landmarks == pytest.approx(points_at(12), abs=1e-3)
    assert laid.at(16, 0, ()) == ()


def test_a_face_that_was_lost_for_long_is_not_made_up() -> None:
    far = LOST_FRAMES + 1
    some = (Correction(0, 0, points_at(0)), Correction(far, 0, points_at(far)))
    laid = Corrected(some, lambda number: [face_at(number)] if number in (0, far) else [], lambda _: 0)
    assert [bool(laid.at(number, 0, ())) for number in (0, 1, far // 2, far)] == [True, False, False, True]


def test_a_correction_goes_to_the_face_it_lies_on_however_its_track_is_numbered() -> None:
    def numbered(number: int) -> tuple[Face, Face]:
        """Another finder: the face that was track 0 is 1 now, and somebody far away is 0."""
        away = points_at(number) + np.array([500, 0], dtype=np.float32)
        box = face_at(number).box
        stranger = Face((box[0] + 500, box[1], box[2] + 500, box[3]), away, None, 0.9, track=0)
        return stranger, replace(face_at(number), track=1)

    laid = Corrected([Correction(10, 0, points_at(10) + RIGHT_BY)], numbered, shot_of)
    stranger, face = laid.at(10, 0, numbered(10))
    assert stranger.landmarks == pytest.approx(numbered(10)[0].landmarks)
    assert face.landmarks == pytest.approx(points_at(10) + RIGHT_BY, abs=1e-4)
    missed = Corrected([Correction(10, 0, points_at(10))], lambda n: numbered(n)[: 1 if n == 10 else 2], shot_of)
    assert [each.track for each in missed.at(10, 0, numbered(10)[:1])] == [0, 1]


def test_a_face_that_was_moved_far_off_is_known_by_its_track() -> None:
    laid = corrected(Correction(10, 0, points_at(10) + 300))
    assert shift(laid, 10) == pytest.approx([300, 300], abs=1e-3)


def test_a_box_alone_carries_its_landmarks_along() -> None:
    x0, y0, x1, y1 = face_at(10).box
    laid = corrected(Correction(10, 0, box=(x0 + 5, y0, x1 + 5, y1)))
    assert shift(laid, 10) == pytest.approx([5, 0], abs=1e-3)


def test_a_mask_moves_with_the_face_between_two_that_were_drawn() -> None:
    mask = points_at(10)[::8]
    laid = corrected(Correction(10, 0, mask=mask), Correction(20, 0, mask=points_at(20)[::8]))
    (drawn,) = laid.at(10, 0, (face_at(10),))
    assert drawn.outline == pytest.approx(mask)
    (between,) = laid.at(15, 0, (face_at(15),))
    assert between.outline == pytest.approx(points_at(15)[::8], abs=1e-2)
    (outside,) = laid.at(22, 0, (face_at(22),))
    assert outside.outline is None


def test_the_mesh_follows_its_landmarks() -> None:
    random = np.random.default_rng(0)
    mesh = (random.normal(size=(478, 3)) * 40 + 100).astype(np.float32)
    face = Face((0, 0, 1, 1), landmarks_from_mesh(mesh), mesh, 1.0)
    bent = moved(face, face.landmarks + RIGHT_BY)
    assert bent.mesh is not None
    assert landmarks_from_mesh(bent.mesh) == pytest.approx(face.landmarks + RIGHT_BY, abs=0.05)


def test_corrections_are_kept_by_what_a_clip_holds(tmp_path: Path) -> None:
    clip = tmp_path / "clip.mp4"
    clip.write_bytes(b"pictures")
    assert corrections_digest(clip) == ""
    one = Correction(3, 0, points_at(3), (1.0, 2.0, 3.0, 4.0), points_at(3)[:5])
    correct(clip, [one, Correction(5, 1, box=(0.0, 0.0, 9.0, 9.0))])
    before = corrections_digest(clip)
    found = corrections_of(clip.rename(tmp_path / "moved.mp4"))
    clip = tmp_path / "moved.mp4"
    assert [(each.frame, each.track, each.box) for each in found] == [(3, 0, one.box), (5, 1, (0.0, 0.0, 9.0, 9.0))]
    assert found[0].landmarks == pytest.approx(one.landmarks)
    assert found[0].mask == pytest.approx(one.mask)
    assert found[1].landmarks is None
    correct(clip, [Correction(3, 0), Correction(5, 1)])
    assert corrections_of(clip) == []
    assert before != corrections_digest(clip) == ""


def test_corrections_stay_with_a_clip_that_is_touched_or_copied_and_not_with_another(tmp_path: Path) -> None:
    clip, other = tmp_path / "clip.mp4", tmp_path / "other.mp4"
    content = np.random.default_rng(0).bytes(1_000_000)
    clip.write_bytes(content)
    correct(clip, [Correction(3, 0, points_at(3))])
    os.utime(clip, (1.0, 1.0))
    assert len(corrections_of(clip)) == 1
    assert len(corrections_of(Path(shutil.copyfile(clip, tmp_path / "copy.mp4")))) == 1
    for place in (10, 500_000, 999_990):
        other.write_bytes(content[:place] + b"-other-" + content[place + 7 :])
        assert corrections_of(other) == []


def test_corrections_that_cannot_be_kept_are_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIPSWAP_DATA", str(tmp_path / "own"))
    clip = tmp_path / "clip.mp4"
    clip.write_bytes(b"pictures that cannot be kept")
    correct(clip, [Correction(3, 0, points_at(3))])
    (file,) = (handwork_folder() / "corrections").iterdir()
    file.unlink()
    file.mkdir()
    with pytest.raises(MediaError, match=r"cannot be kept \(unable to open"):
        correct(clip, [Correction(3, 0, points_at(3))])


def test_damaged_handwork_is_named_and_not_thrown_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIPSWAP_DATA", str(tmp_path / "own"))
    clip = tmp_path / "clip.mp4"
    clip.write_bytes(b"other pictures")
    correct(clip, [Correction(3, 0, points_at(3))])
    (file,) = (handwork_folder() / "corrections").iterdir()
    file.write_bytes(b"no base" * 100)
    with pytest.raises(ArtefactError, match="unreadable"):
        corrections_of(clip)
    assert file.exists()


@pytest.mark.parametrize("wrong", [{"landmarks": np.zeros((5, 2))}, {"mask": np.zeros((2, 2))}])
def test_points_of_a_wrong_shape_are_refused(wrong: dict[str, Floats]) -> None:
    with pytest.raises(ValueError, match="got"):
        Correction(0, 0, **wrong)  # type: ignore[arg-type]
