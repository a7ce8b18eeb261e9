"""Who is who: five made clips of two people, with crossings and cuts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from faceswap.extract import extract
from faceswap.options import ExtractOptions, FaceChoice
from faceswap.rows import ClipRow, FaceRow, read_rows
from faceswap.survey import Survey
from faceswap.who import People, divided, tell_apart, whose
from shared.errors import UsageError
from shared.face.identity import unit
from shared.picture.image import write_png
from shared.picture.warp import invert, transform
from shared.store.faces import StoredTrack
from tests.faceswap.people import FRAMES, Head, Place, TwoPeople, head_of, make

EVERY_FACE = ExtractOptions(alike=0, most_crowd=1, most_covered=0, most_tint=0, least_sharpness=0, least_inside=0)


def sides_swapped_by_a_cut(number: int, _: float) -> tuple[Place, Place]:
    left, right = Place(0.27), Place(0.73)
    return (left, right) if number < FRAMES // 2 else (right, left)


def crossing_in_front(_: int, share: float) -> tuple[Place, Place]:
    return Place(0.2 + 0.6 * share, depth=1), Place(0.8 - 0.6 * share)


def crossing_behind(_: int, share: float) -> tuple[Place, Place]:
    return Place(0.2 + 0.6 * share, 0.9), Place(0.8 - 0.6 * share, depth=1)


def cut_every_few_frames(number: int, _: float) -> tuple[Place, Place]:
    here, gone = Place(0.5), Place(0.5, opaque=0.0)
    return (here, gone) if (number // 7) % 2 == 0 else (gone, here)


def met_halfway_and_cut(_: int, share: float) -> tuple[Place, Place]:
    if share > 0.75:
        return Place(0.7), Place(0.5, opaque=0.0)
    return Place(0.3 + 0.25 * share), Place(0.85 - 0.45 * share, 0.85, 1)


def faded_into_the_other(number: int, _: float) -> tuple[Place, Place]:
    """One takes the other's place without a cut, over eight frames."""
    fading = min(1.0, max(0.0, (number - 24) / 8))
    return Place(0.5, opaque=float(fading < 1)), Place(0.5, depth=1, opaque=fading)


def row_of(track: int, identity: int) -> FaceRow:
    embedding = np.eye(128, dtype=np.float32)[identity]
    points = np.zeros((68, 2), np.float32)
    row = FaceRow("a.png", 0, 0, 0.0, track, 90.0, 100.0, 1.0, 0.0, 0.0, 0.0, points, True, "")
    return replace(row, embedding=embedding)


TWO = People({(0, 0): 0, (0, 1): 1}, np.eye(128, dtype=np.float32)[:2], frozenset({0}))


def test_a_face_that_slipped_into_the_other_s_track_is_told_by_its_own_identity() -> None:
    kept = [whose(row_of(track, identity), TWO, mixed=True) for track, identity in ((0, 0), (0, 1), (1, 0), (1, 1))]
    assert [(row.person, row.why) for row in kept] == [(0, ""), (1, "stranger"), (0, ""), (1, "stranger")]


def test_where_nobody_else_is_the_track_says_whose_a_face_is() -> None:
    blurred = whose(row_of(0, 5), TWO, mixed=False)
    assert (blurred.kept, blurred.person, blurred.likeness) == (True, 0, 0.0)


def test_somebody_not_wanted_goes_even_out_of_the_wanted_one_s_track() -> None:
    people = replace(TWO, unwanted=np.eye(128, dtype=np.float32)[5:6])
    assert whose(row_of(0, 5), people, mixed=False).why == "unwanted"
    assert whose(row_of(0, 0), people, mixed=False).kept


@pytest.mark.parametrize("person", [7, "speaker"])
def test_a_track_that_slipped_is_still_found_by_its_number_and_its_voice(person: FaceChoice) -> None:
    track = StoredTrack(7, 0, 0, 0, 7, 8, 90.0, 1.0, 1.0, unit(np.eye(128, dtype=np.float32)[:2].sum(axis=0)))
    rows = [replace(row_of(7, int(number >= 3)), frame=number) for number in range(8)]
    clip = ClipRow(0, "a.mp4", "", 8, 8, 0)
    surveys = divided([Survey(clip, rows, (track,), frozenset({7}), frozenset())], rows)
    people = tell_apart(surveys, replace(EVERY_FACE, person=person))
    assert [int(people.identities[one].argmax()) for one in people.wanted] == [1]  # who is in most of its faces
    with pytest.raises(UsageError, match="no track 3 in it; there are 7"):
        tell_apart(surveys, replace(EVERY_FACE, person=3))


def test_a_track_that_slipped_and_shows_nobody_for_long_is_not_lost() -> None:
    track = StoredTrack(7, 0, 0, 0, 2, 3, 90.0, 1.0, 1.0, np.eye(128, dtype=np.float32)[0])
    rows = [replace(row_of(7, int(number >= 2)), frame=number) for number in range(3)]
    surveys = divided([Survey(ClipRow(0, "a.mp4", "", 3, 3, 0), rows, (track,), frozenset(), frozenset())], rows)
    assert tell_apart(surveys, replace(EVERY_FACE, person=7)).identities[0].argmax() == 0


@pytest.fixture(scope="module")
def heads(footage: Path, own_cache: Path, weights: None) -> list[Head]:  # noqa: ARG001 - faces are looked for
    return [
        head_of(footage / "train" / "grid_s1" / "hq" / "bbaf2n.mp4", own_cache, 5),
        head_of(footage / "train" / "faceswap_B_audun" / "cap13_edit2.mp4", own_cache, 0),
    ]


@pytest.mark.footage
@pytest.mark.parametrize(
    "places",
    [
        sides_swapped_by_a_cut,
        crossing_in_front,
        crossing_behind,
        cut_every_few_frames,
        met_halfway_and_cut,
        faded_into_the_other,
    ],
)
def test_all_faces_of_the_one_wanted_are_kept_and_none_of_the_other(
    places: Callable[[int, float], tuple[Place, Place]], heads: list[Head], tmp_path: Path
) -> None:
    clip = make(tmp_path / "two.mp4", heads, places)
    picture = tmp_path / "wanted.png"
    write_png(picture, heads[0].pictures[20])
    extract([clip.path], tmp_path / "faces", replace(EVERY_FACE, person=picture))
    kept = _kept(tmp_path / "faces")
    seen = np.isfinite(clip.truth[:, 0, 0]) & ~clip.hidden[:, 0]
    missed = [number for number in np.flatnonzero(seen) if number not in kept]
    assert not missed, f"the wanted one's faces are missing in frames {missed}"
    foreign = [number for number, middle in kept.items() if not _is_first(clip, number, middle)]
    assert not foreign, f"the other's faces were kept in frames {foreign}"


def _kept(folder: Path) -> dict[int, np.ndarray]:
    """Middle of the kept face in its frame, by frame."""
    found = {}
    for row in read_rows(folder):
        if row.kept:
            assert row.frame not in found, f"two faces of one person in frame {row.frame}"
            assert row.crop_from_frame is not None
            points = transform(invert(row.crop_from_frame), row.landmarks)
            found[row.frame] = (points.min(axis=0) + points.max(axis=0)) / 2
    return found


def _is_first(clip: TwoPeople, number: int, middle: np.ndarray) -> bool:
    apart = np.linalg.norm(clip.truth[number] - middle, axis=1)
    if np.linalg.norm(clip.truth[number, 0] - clip.truth[number, 1]) < 20:
        return True  # half faded into each other: nobody can say
    return bool(np.nanargmin(np.where(np.isfinite(apart), apart, np.inf)) == 0) and bool(np.isfinite(apart[0]))
