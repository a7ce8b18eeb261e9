"""Roles of clips: given by rules, or found out by sound, detail and light."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from lipsync import roles as module
from lipsync.index import ClipMouths
from lipsync.light import Light, relight
from lipsync.mouth import FreeFace
from lipsync.options import ROLES, RoleRule, VoiceOptions, listed, parse_role
from lipsync.roles import (
    ALL,
    ENOUGH,
    Serving,
    decide,
    facts_of,
    given_roles,
    lines_of,
    muted,
    roles_part,
    rules_of,
    with_role,
)
from lipsync.survey import View
from shared.errors import NoFaceError, UsageError
from shared.face.pose import FacePose
from shared.types import Floats

HQ, LM, SILENT = Path("ada/hq/one.mp4"), Path("ada/lm/two.mp4"), Path("ada/lm/three.mp4")
FOOTAGE = [HQ, LM, SILENT]
PICTURES = ALL - {"sound"}


@pytest.fixture
def clip_of(
    points_of: Callable[[float], Floats], free_from: Callable[..., FreeFace], posed: Callable[..., FacePose]
) -> Callable[..., ClipMouths]:
    face = free_from(points_of(0.2), posed())

    def make(path: Path | str, frames: int = ENOUGH, sound: bool = True, heard: bool = True) -> ClipMouths:
        return ClipMouths(
            path=Path(path),
            indices=np.arange(frames),
            times_s=np.arange(frames) / 25.0,
            faces=(face,) * frames,
            inside=np.ones(frames, dtype=bool),
            sharpness=np.ones(frames, dtype=np.float32),
            features=np.zeros((4 * frames, 28), dtype=np.float32) if sound else None,
            voiced=((0.5, 1.0),) if sound and heard else (),
        )

    return make


@pytest.fixture
def found(monkeypatch: pytest.MonkeyPatch, clip_of: Callable[..., ClipMouths]) -> Callable[..., list[Serving]]:
    """What is decided of clips with the given frames, detail and (logarithm of the gain) light."""

    def make(*seen: tuple[int, float, float], given: dict[Path, frozenset[str]] | None = None) -> list[Serving]:
        clips = [clip_of(f"{number}.mp4", frames) for number, (frames, _, _) in enumerate(seen)]
        views = {
            clip.path: View(frames, detail, np.array([[light] * 3, [0.0] * 3, [0.0] * 3]))
            for clip, (frames, detail, light) in zip(clips, seen, strict=True)
        }
        monkeypatch.setattr(module, "survey", lambda these, *_: [views[clip.path] for clip in these])
        return decide(clips, given or {}, VoiceOptions())  # type: ignore[arg-type]

    return make


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "probe", lambda path: SimpleNamespace(has_audio=path != SILENT))


def pictured(servings: list[Serving]) -> list[int]:
    return [number for number, serving in enumerate(servings) if "textures" in serving.roles]


def test_a_rule_is_read_from_its_last_equals_sign() -> None:
    assert parse_role("a=b/*.mp4=textures, shapes") == RoleRule("a=b/*.mp4", frozenset({"shapes", "textures"}))


@pytest.mark.parametrize("text", ["textures", "=textures", "/=textures"])
def test_a_rule_without_a_pattern_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match=f"--role {text}: say PATTERN=ROLES"):
        parse_role(text)


@pytest.mark.parametrize(("text", "unknown"), [("*=sound,mouth", "mouth"), ("*=", ""), ("*=Sound", "Sound")])
def test_an_unknown_role_is_refused_by_its_name(text: str, unknown: str) -> None:
    with pytest.raises(UsageError, match=rf"unknown role '{unknown}'; give some of sound, shapes, textures"):
        parse_role(text)


@pytest.mark.parametrize(
    ("pattern", "fits"),
    [("*.mp4", FOOTAGE), ("lm/*", [LM, SILENT]), ("ada/hq/one.mp4", [HQ]), ("two.mp4", [LM]), ("*/lm/t?o.mp4", [LM])],
)
def test_a_pattern_is_a_path_or_the_end_of_one(pattern: str, fits: list[Path]) -> None:
    assert [path for path in FOOTAGE if RoleRule(pattern, ALL).fits(path)] == fits


def test_brackets_in_a_path_stand_for_themselves_where_all_of_it_is_given() -> None:
    assert RoleRule("take [2].mp4", ALL).fits(Path("take [2].mp4"))


@pytest.mark.usefixtures("heard")
def test_the_last_rule_that_fits_a_clip_counts() -> None:
    rules = [parse_role("lm/*=shapes"), parse_role("two.mp4=sound")]
    assert given_roles(FOOTAGE, rules) == {LM: {"sound"}, SILENT: {"shapes"}}


@pytest.mark.usefixtures("heard")
@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ("b-roll/*=shapes", r"--role b-roll/\*: fits no clip"),
        ("lm/*=sound", r"three\.mp4: has no sound to serve as"),
        ("*=shapes", r"--role leaves no clip of the footage for sound and textures"),
    ],
)
def test_rules_that_do_not_fit_the_footage_are_usage_errors(rule: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        given_roles(FOOTAGE, [parse_role(rule)])


def test_rules_that_come_to_the_same_have_one_fingerprint() -> None:
    one, other = ([parse_role(text)] for text in ("hq/*=shapes,textures", "one.mp4=textures,shapes"))
    assert roles_part(FOOTAGE, given_roles(FOOTAGE, one)) == roles_part(FOOTAGE, given_roles(FOOTAGE, other))
    assert roles_part(FOOTAGE, given_roles(FOOTAGE, [])) == {}
    assert rules_of(given_roles(FOOTAGE, one)) == (RoleRule(str(HQ), PICTURES),)


def test_a_clip_in_which_nobody_is_heard_serves_no_sound(clip_of: Callable[..., ClipMouths]) -> None:
    clips = [clip_of("a.mp4", 10), clip_of("b.mp4", 10, sound=False), clip_of("c.mp4", 10, heard=False)]
    assert decide(clips, {}, VoiceOptions()) == [
        Serving(ALL),
        Serving(PICTURES, why=("no sound",)),
        Serving(PICTURES, why=("nobody is heard",)),
    ]


def test_what_is_given_wins_over_what_is_found(clip_of: Callable[..., ClipMouths]) -> None:
    clip = clip_of("c.mp4", 10, heard=False)
    assert decide([clip], {clip.path: frozenset({"sound"})}, VoiceOptions()) == [Serving(frozenset({"sound"}), True)]


def test_soft_clips_give_no_textures_while_enough_others_do(found: Callable[..., list[Serving]]) -> None:
    servings = found((ENOUGH, 1.0, 0.0), (ENOUGH, 0.8, 0.0), (ENOUGH, 0.95, 0.0))
    assert pictured(servings) == [0, 2]
    assert servings[1] == Serving(frozenset({"sound", "shapes"}), why=("softer than the others",))


def test_soft_clips_give_textures_where_the_sharp_ones_are_few(found: Callable[..., list[Serving]]) -> None:
    assert pictured(found((ENOUGH // 2, 1.0, 0.0), (ENOUGH, 0.6, 0.0), (ENOUGH, 0.4, 0.0))) == [0, 1]


def test_footage_that_is_all_soft_serves_whole(found: Callable[..., list[Serving]]) -> None:
    assert pictured(found((ENOUGH, 0.4, 0.0), (ENOUGH, 0.4, 0.0))) == [0, 1]


def test_clips_under_another_lamp_give_no_textures(found: Callable[..., list[Serving]]) -> None:
    servings = found((ENOUGH, 1.0, 0.4), (ENOUGH, 1.0, 0.0), (ENOUGH, 1.0, 0.1))
    assert pictured(servings) == [1, 2]
    assert servings[0].why == ("lit otherwise",)


def test_another_light_serves_where_the_usual_one_is_rare(found: Callable[..., list[Serving]]) -> None:
    assert pictured(found((500, 1.0, 0.0), (500, 1.0, 0.1), (600, 1.0, 0.4), (600, 1.0, 2.0))) == [0, 1, 2]


def test_two_lights_of_one_length_leave_one_of_them(found: Callable[..., list[Serving]]) -> None:
    assert len(pictured(found((ENOUGH, 1.0, 0.0), (ENOUGH, 1.0, 1.0)))) == 1


def test_the_noise_of_a_dark_clip_is_not_what_others_are_measured_by(found: Callable[..., list[Serving]]) -> None:
    assert pictured(found((ENOUGH, 3.0, -2.0), (ENOUGH, 1.0, 0.0), (ENOUGH, 1.0, 0.0))) == [1, 2]


def test_a_clip_that_is_never_seen_from_the_front_is_not_judged(found: Callable[..., list[Serving]]) -> None:
    assert pictured(found((ENOUGH, 1.0, 0.0), (0, 0.0, 0.0), (ENOUGH, 0.95, 0.0))) == [0, 1, 2]


def test_a_soft_clip_of_which_textures_are_asked_gives_them(found: Callable[..., list[Serving]]) -> None:
    given = {Path("1.mp4"): frozenset({"textures"}), Path("0.mp4"): frozenset({"sound"})}
    assert pictured(found((ENOUGH, 1.0, 0.0), (ENOUGH, 0.5, 0.0), (ENOUGH, 0.4, 0.0), given=given)) == [1]


def test_little_footage_is_not_looked_at(clip_of: Callable[..., ClipMouths], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(module, "survey")
    clips = [clip_of("a.mp4", ENOUGH // 2), clip_of("b.mp4", ENOUGH // 2)]
    assert pictured(decide(clips, {}, VoiceOptions())) == [0, 1]


def test_lights_lie_as_far_apart_as_their_gains() -> None:
    rng = np.random.default_rng(3)
    terms = rng.normal(0.0, 0.2, (3, 3))
    grey = np.full((81, 101, 3), 0.5, dtype=np.float32)
    gain = np.log(relight(grey, Light(terms)) / grey)
    assert np.linalg.norm(module._over_the_face(terms)) == pytest.approx(np.sqrt((gain**2).mean()), rel=0.03)


def test_only_sound_is_taken_from_a_clip_that_does_not_serve_as_it(clip_of: Callable[..., ClipMouths]) -> None:
    clips = [clip_of("a.mp4", 10), clip_of("b.mp4", 10)]
    one, other = muted(clips, [ALL, PICTURES])
    assert one is clips[0]
    assert (other.features, other.voiced, len(other.faces)) == (None, (), 10)


def test_a_role_whose_clips_show_no_face_is_exit_three(clip_of: Callable[..., ClipMouths]) -> None:
    clips, servings = [clip_of("a.mp4", 10), clip_of("b.mp4", 10)], [Serving(ALL), Serving(PICTURES)]
    assert with_role("sound", clips, servings) == clips[:1]
    with pytest.raises(NoFaceError, match=r"b\.mp4: no face in the clips that --role leaves for sound"):
        with_role("sound", clips[1:], servings[1:])


def test_clips_that_serve_alike_are_told_in_one_line(clip_of: Callable[..., ClipMouths]) -> None:
    clips = [clip_of(f"{number}.mp4", 1) for number in range(8)]
    soft = Serving(frozenset({"sound", "shapes"}), why=("softer than the others",))
    servings = [soft] * 5 + [Serving(ALL), Serving(ALL), Serving(frozenset({"textures"}), given=True)]
    assert lines_of(servings, clips) == [
        "0.mp4 and 4 others: sound and shapes (softer than the others)",
        "5.mp4, 6.mp4: sound, shapes and textures",
        "7.mp4: textures (as given)",
    ]
    assert facts_of(servings, clips)[0] == {
        "clip": "0.mp4",
        "roles": ["sound", "shapes"],
        "given": False,
        "why": ["softer than the others"],
    }


def test_roles_are_listed_in_their_own_order() -> None:
    assert listed(reversed(ROLES)) == "sound, shapes and textures"
    assert listed(["textures"]) == "textures"
