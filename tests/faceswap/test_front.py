"""Things in front of a face: found where they are, not found where nothing is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from faceswap.front import SIDE_PX, Fronts
from faceswap.view import Made, View, look_at
from shared.picture.mask import extended_hull
from shared.picture.warp import gaussian, transform
from shared.types import Floats
from tests.faceswap.drawn import draw_face, face_of, face_points, frame_of


def view_of(track: int = 0) -> View:
    points = face_points((160, 130), 110, opening=0.05)
    return look_at(frame_of(draw_face((260, 320), points, (210, 160, 130))), face_of(points, track), SIDE_PX)


def seen(view: View, seed: int, thing: Floats | None = None, colour: tuple[float, float, float] = (0, 0, 0)) -> Made:
    """The view with noise, and with a thing of one colour in front of it."""
    noise = gaussian(np.random.default_rng(seed).normal(0, 0.06, view.picture.shape).astype(np.float32), 1.0)
    picture = np.clip(view.picture + noise, 0, 1)
    if thing is not None:
        picture = np.where(thing[..., None] > 0.5, np.array(colour, dtype=np.float32), picture)
    return Made(replace(view, picture=picture.astype(np.float32)), view.picture)


def disc(x: float, y: float, radius: float) -> Floats:
    rows, columns = np.indices((SIDE_PX, SIDE_PX))
    return ((rows - y) ** 2 + (columns - x) ** 2 < radius**2).astype(np.float32)


def held(x: float, y: float, radius: float, grow: float = 0.0) -> Floats:
    """A disc that something below the face holds up."""
    rows, columns = np.indices((SIDE_PX, SIDE_PX))
    stem = (np.abs(columns - x) < radius / 2 + grow) & (rows > y)
    return np.asarray(np.maximum(disc(x, y, radius + grow), stem.astype(np.float32)), dtype=np.float32)


def test_a_thing_is_found_whole_and_little_else() -> None:
    view, fronts = view_of(), Fronts()
    clean = [seen(view, number) for number in range(8)]
    assert max(float(front.max()) for front in fronts.look(clean, [view.picture] * 8)) == 0.0
    thing = held(48, 66, 11)
    # Skin of nearly the same colour: 4 to 5 units of Lab away.
    skin = tuple(float(value) * 0.85 / 255 for value in (210, 160, 130))
    covered = [seen(view, number, thing, (skin[0], skin[1], skin[2])) for number in range(8, 16)]
    for front in fronts.look(covered, [view.picture] * 8)[1:]:
        assert front[disc(48, 66, 11) > 0.5].mean() > 0.97
        assert front[held(48, 66, 11, grow=6) < 0.5].mean() < 0.01


@pytest.mark.parametrize("place", [0, 3, 7])
def test_what_is_there_for_one_frame_alone_is_no_thing_whichever_it_is(place: int) -> None:
    view, fronts = view_of(), Fronts()
    fronts.look([seen(view, number) for number in range(8)], [view.picture] * 8)
    thing = held(48, 66, 11)

    def look(places: set[int]) -> list[float]:
        made = [seen(view, number, thing if number in places else None, (0.7, 0.53, 0.43)) for number in range(8)]
        return [float(front.max()) for front in fronts.look(made, [view.picture] * 8)]

    assert max(look({place})) == 0.0
    look(set())
    lasting = {max(0, place - 1), place, min(7, place + 1)}
    shown = look(lasting)
    assert all(shown[number] == 1.0 for number in lasting if number < 7)


def test_a_mouth_as_the_model_has_never_seen_it_is_no_thing() -> None:
    view, fronts = view_of(), Fronts()
    fronts.look([seen(view, number) for number in range(8)], [view.picture] * 8)
    tongue = [seen(view, number, disc(48, 61, 8), (0.8, 0.2, 0.25)) for number in range(8, 16)]
    assert max(float(front.max()) for front in fronts.look(tongue, [view.picture] * 8)) == 0.0
    stick = [seen(view, number, held(48, 61, 8), (0.8, 0.2, 0.25)) for number in range(16, 24)]
    assert float(fronts.look(stick, [view.picture] * 8)[-1][61, 48]) == 1.0


def test_a_person_whom_the_model_does_not_know_is_not_taken_for_a_thing() -> None:
    view, fronts = view_of(), Fronts()
    stranger = np.clip(gaussian(view.picture, 4.0) + 0.25 * (disc(40, 40, 25) - disc(60, 70, 20))[..., None], 0, 1)
    clean = [seen(view, number) for number in range(8)]
    found = fronts.look(clean, [np.asarray(stranger, dtype=np.float32)] * 8)
    assert np.mean(found) < 0.01
    thing = held(60, 62, 10)
    covered = [seen(view, number, thing, (0.1, 0.1, 0.12)) for number in range(8, 16)]
    for front in fronts.look(covered, [np.asarray(stranger, dtype=np.float32)] * 8)[1:]:
        assert front[disc(60, 62, 10) > 0.5].mean() > 0.97


def test_another_light_on_the_whole_face_is_no_thing() -> None:
    view, fronts = view_of(), Fronts()
    yellow = replace(view, picture=np.asarray(view.picture * np.array([1.0, 0.97, 0.88], dtype=np.float32)))
    made = [seen(yellow, number) for number in range(8)]
    assert np.mean(fronts.look(made, [view.picture] * 8)) < 0.01


def test_tracks_are_judged_apart() -> None:
    here, there, fronts = view_of(0), view_of(1), Fronts()
    thing = held(48, 66, 11)
    fronts.look([seen(here, number) for number in range(4)], [here.picture] * 4)
    made = [one for number in (9, 10) for one in (seen(here, number, thing), seen(there, number))]
    both = fronts.look(made, [here.picture, there.picture] * 2)
    assert min(front[disc(48, 66, 11) > 0.5].mean() for front in both[::2]) > 0.97
    assert max(front.max() for front in both[1::2]) == 0.0


def test_a_small_speck_does_not_count() -> None:
    view, fronts = view_of(), Fronts()
    fronts.look([seen(view, number) for number in range(4)], [view.picture] * 4)
    assert fronts.look([seen(view, 5, disc(48, 66, 1.5))], [view.picture])[0].max() == 0.0


def test_views_of_any_size_are_judged_alike() -> None:
    fronts = Fronts()
    points = face_points((160, 130), 110, opening=0.05)
    large = look_at(frame_of(draw_face((260, 320), points, (210, 160, 130))), face_of(points), 256)
    front = fronts.look([Made(large, large.picture)], [large.picture])[0]
    assert front.shape == (SIDE_PX, SIDE_PX)
    assert front.max() == 0.0


def test_a_thing_that_covers_most_of_a_face_is_found_and_no_more() -> None:
    view, fronts = view_of(), Fronts()
    fronts.look([seen(view, number) for number in range(8)], [view.picture] * 8)
    large = np.zeros((SIDE_PX, SIDE_PX), dtype=np.float32)
    large[57:] = 1
    for number in range(8, 16):
        front = fronts.look([seen(view, number, large, (0.5, 0.5, 0.5))], [view.picture])[0]
        if number == 8:
            continue  # nobody knows yet whether it lasts
        assert front[60:76, 40:56].min() > 0.97
        assert front[:44].mean() < 0.02
    left = fronts.look([seen(view, 20)], [view.picture])[0]
    points = transform(view.view_from_frame, view.face.landmarks)
    assert (left * extended_hull(points, left.shape[:2], 0.35)).mean() < 0.3
    assert fronts.look([seen(view, 21)], [view.picture])[0].max() == 0.0


def test_a_flash_is_no_thing() -> None:
    view, fronts = view_of(), Fronts()
    fronts.look([seen(view, number) for number in range(8)], [view.picture] * 8)
    lit = replace(view, picture=np.clip(view.picture * 1.15, 0, 1))
    assert np.mean(fronts.look([seen(lit, 9)], [view.picture])[0]) < 0.02


def test_only_the_last_tracks_are_remembered_and_all_of_a_crowd() -> None:
    fronts, view = Fronts(), view_of()
    for track in range(70):
        other = replace(view, face=replace(view.face, track=track))
        fronts.look([Made(other, other.picture)], [other.picture])
    assert len(fronts._tracks) == 64
    crowd = [replace(view, face=replace(view.face, track=track)) for track in range(100, 180)]
    fronts.look([Made(other, other.picture) for other in crowd], [other.picture for other in crowd])
    assert len(fronts._tracks) == 80


def test_a_thing_is_followed_beyond_the_face_and_what_is_only_beside_it_is_not() -> None:
    view, fronts = view_of(), Fronts()
    fronts.look([seen(view, number) for number in range(8)], [view.picture] * 8)
    rows, columns = np.indices((SIDE_PX, SIDE_PX))
    stick = ((np.abs(columns - 48) < 6) & (rows > 60)).astype(np.float32)
    found = fronts.look([seen(view, number, stick, (0.1, 0.1, 0.12)) for number in range(8, 16)], [view.picture] * 8)
    assert found[-1][85:89, 44:52].min() > 0.97
    beside = ((np.abs(columns - 48) < 6) & (rows > 86)).astype(np.float32)
    clean = Fronts()
    clean.look([seen(view, number) for number in range(8)], [view.picture] * 8)
    assert clean.look([seen(view, 20, beside, (0.1, 0.1, 0.12))], [view.picture])[0].max() == 0.0
