from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from shared.errors import MediaError, NoFaceError, UsageError, WeightsError
from shared.render import prepare, stage
from shared.render.job import RenderJob, Wish
from shared.render.prepare import complete
from shared.store.corrections import Correction, correct
from tests.shared.render.made import MadeFaces, PaintOptions, face, make_artefact, make_clip


class Makers:
    """Stand in for both engines' makers and count their calls."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.rest: list[tuple[object, ...]] = []

    def load(self, name: str) -> object:
        made = {prepare.MAKE_MODEL: self.model, prepare.MAKE_VOICE: self.voice}
        return made[name] if name in made else stage.load(name)

    def model(self, clips: tuple[Path, Path], folder: Path, minutes: float, *rest: object) -> Path:
        self.rest.append(rest)
        self.calls.append(f"model {clips[0].name} {clips[1].name} {minutes:g}")
        (folder / "model").mkdir(exist_ok=True)
        return folder / "model"

    def voice(self, footage: list[Path], folder: Path, *rest: object) -> Path:
        self.rest.append(rest)
        self.calls.append(f"voice {' '.join(path.name for path in footage)}")
        (folder / "voice").mkdir(exist_ok=True)
        return folder / "voice"


@pytest.fixture
def makers(monkeypatch: pytest.MonkeyPatch) -> Makers:
    made = Makers()
    monkeypatch.setattr(prepare, "load", made.load)
    monkeypatch.setattr(prepare, "voiced_spans", lambda _: [(0.0, 0.5), (1.0, 1.8)])
    return made


@pytest.fixture
def wish(job: RenderJob) -> Wish:
    return Wish(replace(job, stages=()))


def test_a_model_is_trained_once_and_reused(wish: Wish, makers: Makers, tmp_path: Path) -> None:
    ada = make_clip(tmp_path / "ada.mp4", frames=5)
    wish = replace(wish, face_from=ada, train_minutes=2)
    said: list[str] = []
    job = complete(wish, say=said.append)
    assert [stage.engine for stage in job.stages] == ["swap"]
    assert job.inputs == (ada,)
    assert "training one in" in said[0]
    again = complete(replace(wish, train_minutes=1), say=said.append)
    assert again.stages == job.stages
    assert "using the one made before" in said[1]
    assert makers.calls == ["model clip.mp4 ada.mp4 2"]
    complete(replace(wish, train_minutes=5))
    assert makers.calls[1:] == ["model clip.mp4 ada.mp4 5"]
    complete(replace(wish, face_from=make_clip(tmp_path / "eve.mp4", frames=6)))
    assert makers.calls[2:] == ["model clip.mp4 eve.mp4 2"]


def test_a_made_model_that_was_removed_is_made_again(wish: Wish, makers: Makers, tmp_path: Path) -> None:
    wish = replace(wish, face_from=make_clip(tmp_path / "ada.mp4", frames=5))
    model = complete(wish).stages[0].options.model  # type: ignore[attr-defined]
    model.rmdir()
    complete(wish)
    assert len(makers.calls) == 2


def test_a_damaged_note_counts_as_none(wish: Wish, makers: Makers, tmp_path: Path) -> None:
    wish = replace(wish, face_from=make_clip(tmp_path / "ada.mp4", frames=5))
    model = complete(wish).stages[0].options.model  # type: ignore[attr-defined]
    for text in ("", "[]", '{"made": 3, "minutes": 1}', '{"made": "model", "minutes": "long"}'):
        (model.parent / prepare.DONE).write_text(text)
        complete(wish)
    assert len(makers.calls) == 5


def test_what_was_damaged_in_the_cache_is_thrown_away_and_made_again(
    wish: Wish, makers: Makers, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    ada = make_clip(tmp_path / "ada.mp4", frames=5)
    wish = replace(wish, face_from=ada, speech=ada)
    voice, model = (stage.options for stage in complete(wish).stages)
    for path in (voice.voice, model.model):  # type: ignore[attr-defined]
        (path / "damaged").touch()
        (path.parent / "other-work").touch()
    again = complete(wish)
    assert len(makers.calls) == 4
    assert [stage.options for stage in again.stages] == [voice, model]
    for path in (voice.voice, model.model):  # type: ignore[attr-defined]
        assert path.is_dir()
        assert not (path.parent / "other-work").exists()
    assert caplog.text.count("is thrown away and made again") == 2
    complete(wish)
    assert len(makers.calls) == 4


def test_a_maker_that_stumbles_over_damaged_work_begins_anew_but_only_then(
    wish: Wish, makers: Makers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wish = replace(wish, face_from=make_clip(tmp_path / "ada.mp4", frames=5))
    begun: list[bool] = []
    make = makers.model

    def stumble(clips: tuple[Path, Path], folder: Path, *_: object) -> Path:
        begun.append((folder / "half").exists())
        (folder / "half").touch()
        if len(begun) == 1:
            raise KeyboardInterrupt
        if begun[-1]:
            raise WeightsError(f"{folder}/half: damaged")
        return make(clips, folder, 1.0)

    monkeypatch.setattr(makers, "model", stumble)
    with pytest.raises(KeyboardInterrupt):
        complete(wish)
    complete(wish)
    assert begun == [False, True, False]

    def offline(*_: object) -> Path:
        begun.append(True)
        raise WeightsError("yunet.onnx: cannot be fetched")

    monkeypatch.setattr(makers, "model", offline)
    with pytest.raises(WeightsError, match="cannot be fetched"):
        complete(replace(wish, train_minutes=50.0))
    assert len(begun) == 4


def test_a_training_that_fails_keeps_what_was_trained(
    wish: Wish, makers: Makers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wish = replace(wish, face_from=make_clip(tmp_path / "ada.mp4", frames=5))
    model = complete(wish).stages[0].options.model  # type: ignore[attr-defined]
    (model / "hours").touch()
    tries: list[float] = []

    def explode(_: object, folder: Path, minutes: float, *__: object) -> Path:
        tries.append(minutes)
        raise WeightsError(f"{folder / 'model'}: the loss is no number any more; the last good one stays")

    monkeypatch.setattr(makers, "model", explode)
    with pytest.raises(WeightsError, match="the last good one stays"):
        complete(replace(wish, train_minutes=50.0))
    assert tries == [50.0]
    assert (model / "hours").is_file()


def test_what_an_older_recipe_made_is_left_alone(
    wish: Wish, makers: Makers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada = make_clip(tmp_path / "ada.mp4", frames=5)
    wish = replace(wish, face_from=ada, speech=ada)
    complete(wish)
    complete(wish)
    assert len(makers.calls) == 2
    monkeypatch.setattr("lipsync.voice.SCHEMA", 99)
    complete(wish)
    assert makers.calls[2:] == ["voice clip.mp4"]
    monkeypatch.setattr("faceswap.model.SCHEMA", 99)
    complete(wish)
    assert makers.calls[3:] == ["model clip.mp4 ada.mp4 20"]


def test_what_was_put_right_by_hand_makes_another_model_and_voice(wish: Wish, makers: Makers, tmp_path: Path) -> None:
    ada = make_clip(tmp_path / "ada.mp4", frames=5)
    wish = replace(wish, face_from=ada, speech=ada)
    complete(wish)
    correct(ada, [Correction(3, 0, box=(10.0, 10.0, 90.0, 90.0))])
    complete(wish)
    assert makers.calls[2:] == ["model clip.mp4 ada.mp4 20"]
    correct(wish.job.clip, [Correction(3, 0, box=(10.0, 10.0, 90.0, 90.0))])
    complete(wish)
    assert makers.calls[3:] == ["voice clip.mp4", "model clip.mp4 ada.mp4 20"]


def test_the_seed_reaches_both_makers(wish: Wish, makers: Makers, tmp_path: Path) -> None:
    ada = make_clip(tmp_path / "ada.mp4", frames=5)
    wish = replace(wish, face_from=ada, speech=ada)
    for seed in (0, 7):
        complete(replace(wish, job=replace(wish.job, seed=seed)))
    voices, models = makers.rest[::2], makers.rest[1::2]
    assert [rest[-2] for rest in voices] == [0, 7]
    assert [rest[-2].seed for rest in models] == [0, 7]  # type: ignore[attr-defined]


def test_the_finder_reaches_both_makers_and_what_it_found_is_kept_apart(
    wish: Wish, makers: Makers, tmp_path: Path
) -> None:
    ada = make_clip(tmp_path / "ada.mp4", frames=5)
    wish = replace(wish, face_from=ada, speech=ada)
    complete(wish)
    complete(replace(wish, job=replace(wish.job, finder="fan")))
    assert [rest[-1] for rest in makers.rest] == ["mesh", "mesh", "fan", "fan"]


def test_a_voice_is_learned_from_the_clip_itself(wish: Wish, makers: Makers, tmp_path: Path) -> None:
    speech = make_clip(tmp_path / "speech.mp4", frames=5)
    job = complete(replace(wish, speech=speech))
    options = job.stages[0].options
    assert isinstance(options, PaintOptions)
    assert options.speech == job.speech == speech
    assert options.voice is not None
    assert options.voice.name == "voice"
    complete(replace(wish, speech=speech))
    assert makers.calls == ["voice clip.mp4"]


def test_a_voice_is_not_forgotten_while_a_model_trains_for_hours(
    wish: Wish, makers: Makers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada = make_clip(tmp_path / "ada.mp4", frames=5)
    used: list[float] = []
    make = makers.model

    def train(clips: tuple[Path, Path], folder: Path, minutes: float, *rest: object) -> Path:
        (voice,) = folder.parent.glob("voice-*")
        os.utime(voice, (1.0, 1.0))
        rest[1](1, 2, "training")  # type: ignore[operator]
        used.append(voice.stat().st_mtime)
        return make(clips, folder, minutes)

    monkeypatch.setattr(makers, "model", train)
    complete(replace(wish, face_from=ada, speech=ada))
    assert time.time() - used[0] < 60


def test_a_voice_alone_follows_the_clips_own_sound(wish: Wish, makers: Makers, tmp_path: Path) -> None:
    make_artefact(tmp_path / "voice")
    job = complete(replace(wish, voice=tmp_path / "voice"))
    options = job.stages[0].options
    assert isinstance(options, PaintOptions)
    assert options.speech == job.clip
    assert job.speech is None
    assert makers.calls == []


@pytest.mark.parametrize(("has_sound", "with_speech"), [(True, False), (False, False), (True, True)])
def test_a_driver_moves_the_mouth_and_is_heard_unless_there_is_speech(
    wish: Wish, makers: Makers, tmp_path: Path, has_sound: bool, with_speech: bool
) -> None:
    driver = make_clip(tmp_path / "driver.mp4", frames=5, sound=has_sound)
    speech = make_clip(tmp_path / "speech.mp4", frames=5) if with_speech else None
    job = complete(replace(wish, driver=driver, speech=speech))
    options = job.stages[0].options
    assert isinstance(options, PaintOptions)
    assert (options.driver, options.speech) == (driver, speech)
    assert job.speech == (speech or (driver if has_sound else None))
    assert job.inputs == (driver,)
    assert makers.calls == ["voice clip.mp4"]


def test_both_may_be_missing_at_once(wish: Wish, makers: Makers, tmp_path: Path) -> None:
    ada = make_clip(tmp_path / "ada.mp4", frames=5)
    job = complete(replace(wish, face_from=ada, speech=ada, swap_direction=True))
    assert [stage.engine for stage in job.stages] == ["sync", "swap"]
    assert job.stages[1].options.swap_direction  # type: ignore[attr-defined]
    assert len(makers.calls) == 2


def test_without_learnable_speech_the_way_out_is_named(
    wish: Wish, makers: Makers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    speech = make_clip(tmp_path / "speech.mp4", frames=5)
    monkeypatch.setattr(prepare, "voiced_spans", lambda _: [(0.0, 0.4)])
    with pytest.raises(NoFaceError, match=r"no learnable speech in it \(0\.4 s, 1 s needed\); give --voice"):
        complete(replace(wish, speech=speech))
    mute = make_clip(tmp_path / "mute.mp4", sound=False)
    with pytest.raises(NoFaceError, match=r"mute\.mp4: no learnable speech in it \(0\.0 s"):
        complete(replace(wish, job=replace(wish.job, clip=mute), speech=speech))
    assert makers.calls == []


def test_without_a_face_nothing_is_trained(
    wish: Wish, makers: Makers, tmp_path: Path, made_faces: Callable[[MadeFaces], None]
) -> None:
    made_faces(MadeFaces({}))
    with pytest.raises(NoFaceError, match="no face in any of its"):
        complete(replace(wish, face_from=make_clip(tmp_path / "ada.mp4", frames=5)))
    assert makers.calls == []


def test_nothing_is_learned_from_another_than_the_person_asked_for(
    wish: Wish, makers: Makers, tmp_path: Path, made_faces: Callable[[MadeFaces], None]
) -> None:
    tracks = tuple(SimpleNamespace(number=n, person=n, frames=10, size_px=9.0 - n) for n in (0, 1))
    made_faces(MadeFaces({index: (face(0), face(1)) for index in range(20)}, tracks=tracks))
    ada = make_clip(tmp_path / "ada.mp4", frames=5)
    other = replace(wish, job=replace(wish.job, person=1), speech=ada, face_from=ada)
    with pytest.raises(UsageError, match=r"--person 1 is not the largest .* --voice; and lipswap extract --person"):
        complete(other)
    assert makers.calls == []
    assert len(complete(replace(other, job=replace(wish.job, person=0))).stages) == 2


def test_wishes_that_cannot_be_are_refused(wish: Wish, tmp_path: Path) -> None:
    make_artefact(tmp_path / "model")
    with pytest.raises(UsageError, match="nothing to do"):
        complete(wish)
    with pytest.raises(UsageError, match="--model and --face-from exclude each other"):
        complete(replace(wish, model=tmp_path / "model", face_from=wish.job.clip))
    with pytest.raises(UsageError, match="--train-minutes must be more than 0, got 0"):
        complete(replace(wish, model=tmp_path / "model", train_minutes=0))
    with pytest.raises(MediaError, match="none: no such file"):
        complete(replace(wish, voice=tmp_path / "none"))
    with pytest.raises(MediaError, match=r"none\.mp4: no such file"):
        complete(replace(wish, driver=tmp_path / "none.mp4"))
