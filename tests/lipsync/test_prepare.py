"""On real footage: learn a little, re-sync, measure; and the doors of learning."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from lipsync import prepare
from lipsync.composite import open_stage
from lipsync.learn import LABEL
from lipsync.mouth import aperture_cm, free_face
from lipsync.options import ROLES, SyncOptions, VoiceOptions, parse_role
from lipsync.prepare import learn_voice, make_voice
from lipsync.recipes import hear, recipe_of
from lipsync.voice import KIND, SCHEMA, lips_of, open_voice
from models.mouthnet import MouthNet
from shared.errors import ArtefactError, NoFaceError
from shared.face.analyse import analyse
from shared.media.reader import open_clip
from shared.media.sound import load_sound, voiced_spans
from shared.picture.composite import changed_support, composite
from shared.progress import silent
from shared.store.artefact import cache_folder, open_artefact
from shared.store.cache import PARTIAL, entries
from shared.store.corrections import Correction, correct
from shared.types import Edit, JsonObject, Scene

pytestmark = [pytest.mark.footage, pytest.mark.usefixtures("weights")]
SHORT = VoiceOptions(updates=100)
PAPER = VoiceOptions(recipe="paper", updates=400)


def sentences(footage: Path) -> list[Path]:
    """Six clips of the speaker, none of which is used otherwise here."""
    return sorted((footage / "train/grid_s1/hq").glob("*.mp4"))[:60:10]


@pytest.fixture(scope="module")
def voice_folder(footage: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("voices") / "s1"
    learn_voice(sentences(footage), folder, SHORT)
    return folder


@pytest.fixture(scope="module")
def synced(footage: Path, voice_folder: Path) -> list[tuple[Scene, Edit]]:
    """Another clip of the speaker, re-synced to a third one's speech."""
    return sync(footage / "train/grid_s1/hq/bwwu2p.mp4", voice_folder, footage)


def sync(clip: Path, voice_folder: Path, footage: Path) -> list[tuple[Scene, Edit]]:
    """A clip under the speech of a sentence of the speaker."""
    options = SyncOptions(voice=voice_folder, speech=footage / "train/grid_s1/hq/lrik5a.mp4")
    with analyse(clip, cache_folder()) as faces, open_clip(clip) as reader:
        stage = open_stage(options, faces, "cpu", silent)
        return list(stage(Scene(frame, faces.faces_at(frame.index)) for frame in reader.frames()))


def test_every_frame_with_a_face_gives_a_mouth(voice_folder: Path) -> None:
    voice = open_voice(voice_folder)
    assert voice.shapes.shape == (450, 20)
    assert voice.textures.shape == (450, *voice.plane.size, 3)
    # The footage's own resolution: 68 px between the eyes, 9 cm on the canonical face.
    assert 6.5 < voice.plane.px_per_cm < 8.5


def test_it_is_said_whether_heads_tell_of_mouths(voice_folder: Path) -> None:
    details = open_artefact(voice_folder, KIND, SCHEMA).details
    assert details["bearing"] == (open_voice(voice_folder).bearing is not None)


def test_what_is_known_of_strangers_is_of_this_speaker(voice_folder: Path, footage: Path) -> None:
    details, voice = open_artefact(voice_folder, KIND, SCHEMA).details, open_voice(voice_folder)
    assert voice.strangers is not None
    assert details["tract"] == round(voice.strangers.tract, 3)
    assert isinstance(voice.net, MouthNet)
    assert voice.net.ear is not None
    sound = load_sound(footage / "train/grid_s1/hq/bwwu2p.mp4", 16_000)
    features = hear("default", sound, voiced_spans(sound))
    told = aperture_cm(voice.basis.lips(voice.strangers.by_phones(voice.net.ear, features)))
    made = aperture_cm(voice.basis.lips(voice.net.shapes_of(torch.from_numpy(features)).numpy()))
    assert np.corrcoef(told, made)[0, 1] > 0.6
    assert 0.6 < told.std() / made.std() < 1.6


def test_this_speakers_lower_teeth_are_found(voice_folder: Path) -> None:
    voice = open_voice(voice_folder)
    assert voice.teeth is not None
    assert "lower" in [proxy.row for proxy in voice.teeth.proxies]
    wide = aperture_cm(lips_of(voice.pool.points)) > 1.0
    assert (voice.teeth.shown_px[wide] > 0).mean() > 0.95


def test_six_sentences_predict_better_than_the_mean_mouth(voice_folder: Path, footage: Path) -> None:
    facts, reused = learn_voice(sentences(footage), voice_folder, SHORT)
    assert reused
    assert facts["recipe"] == "default"
    assert facts["held_out_error_mm"] < 0.9 * facts["mean_mouth_error_mm"]


def test_the_paper_s_recipe_learns_from_the_same_footage(footage: Path, tmp_path: Path) -> None:
    facts, _ = learn_voice(sentences(footage), tmp_path / "voice", PAPER)
    voice = open_voice(tmp_path / "voice")
    assert facts["recipe"] == recipe_of(voice.net) == "paper"
    assert voice.bearing is None
    assert voice.strangers is None
    assert facts["tract"] is None
    assert facts["held_out_error_mm"] < 0.9 * facts["mean_mouth_error_mm"]


def test_a_learning_that_is_killed_goes_on_in_its_training(
    footage: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lipsync.resume.SAVE_EVERY_S", 0.0)
    learned: list[float] = []

    def killed(done: float, total: float, label: str) -> None:  # noqa: ARG001
        if label == LABEL:
            learned.append(done)
            if learned == [1, 2, 3, 4, 5]:
                raise ZeroDivisionError

    few = VoiceOptions(recipe="paper", updates=8)
    with pytest.raises(ZeroDivisionError):
        learn_voice(sentences(footage), tmp_path / "voice", few, progress=killed)
    assert [entry.kind for entry in entries(cache_folder()) if "training" in entry.path.name] == [PARTIAL]
    learn_voice(sentences(footage), tmp_path / "voice", few, progress=killed)
    assert learned == [1, 2, 3, 4, 5, 6, 7, 8, 8]
    assert not [entry for entry in entries(cache_folder()) if entry.kind == PARTIAL]


def test_other_footage_into_the_same_folder_is_refused(voice_folder: Path, footage: Path) -> None:
    with pytest.raises(ArtefactError, match="footage"):
        learn_voice([footage / "train/grid_s1/hq/bwwu2p.mp4"], voice_folder, SHORT)


def test_clips_serve_as_what_is_asked_of_them_and_a_silent_one_gives_mouths(footage: Path, tmp_path: Path) -> None:
    clips = [*sentences(footage)[:2], footage / "hard/derived/no_audio_track.mp4"]
    folder, said = tmp_path / "voice", list[str]()

    def learn(*rules: str) -> tuple[JsonObject, bool]:
        options = VoiceOptions(recipe="paper", updates=2, roles=tuple(parse_role(rule) for rule in rules))
        return learn_voice(clips, folder, options, tell=said.append)

    facts, _ = learn(f"{clips[0].name}=sound")
    assert said[:3] == [
        f"{clips[0].name}: sound (as given)",
        f"{clips[1].name}: sound, shapes and textures",
        "no_audio_track.mp4: shapes and textures (no sound)",
    ]
    assert [one["roles"] for one in facts["roles"]] == [["sound"], list(ROLES), ["shapes", "textures"]]
    assert open_artefact(folder, KIND, SCHEMA).details["roles"] == facts["roles"]
    voice = open_voice(folder)
    assert voice.textures.shape[0] == len(voice.repertoire) == 150
    assert 2.0 < facts["speech_s"] < 5.0  # of two sentences
    assert learn(f"{clips[0]}=textures", f"hq/{clips[0].name}=sound")[1]  # the same in other words
    with pytest.raises(ArtefactError, match=r"roles\.0 differ"):
        learn(f"{clips[0].name}=sound,shapes")


def test_a_voice_counts_what_was_put_right_by_hand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clip = tmp_path / "clip.mp4"
    clip.write_bytes(b"pictures")
    monkeypatch.setattr(prepare, "_learn", lambda *_: {})
    learn_voice([clip], tmp_path / "voice", SHORT)
    assert learn_voice([clip], tmp_path / "voice", SHORT)[1]
    correct(clip, [Correction(3, 0, box=(1.0, 1.0, 9.0, 9.0))])
    with pytest.raises(ArtefactError, match=r"corrections\.0 differ"):
        learn_voice([clip], tmp_path / "voice", SHORT)


def test_each_frame_is_patched_within_its_lower_face(synced: list[tuple[Scene, Edit]]) -> None:
    assert len(synced) == 75
    for scene, edit in synced[::10]:
        made = composite(scene.frame, edit.patches)
        for old, new, may in zip(
            scene.frame.planes, made.planes, changed_support(scene.frame, edit.patches), strict=True
        ):
            np.testing.assert_array_equal(old[~may], new[~may])
        patch = edit.patches[0]
        first_row = patch.box[1] + int(np.argmax(patch.mask.max(axis=1) > 0.02))
        assert first_row > scene.faces[0].landmarks[30, 1] - 2
        assert not np.array_equal(made.planes[0], scene.frame.planes[0])


def test_the_landmarks_handed_on_are_the_new_mouth_s(synced: list[tuple[Scene, Edit]]) -> None:
    gaps = []
    for scene, edit in synced:
        assert edit.faces is not None
        new = free_face(edit.faces[0])
        assert free_face(scene.faces[0]).pose.scale == pytest.approx(new.pose.scale, rel=0.01)
        gaps.append(float(aperture_cm(new.lips[np.newaxis])[0]))
    assert max(gaps) > 0.4  # somebody speaks
    assert np.mean(gaps[:3]) < 0.5 * max(gaps)  # not yet


def test_speech_is_never_taken_for_a_thing_in_front(synced: list[tuple[Scene, Edit]]) -> None:
    assert all(edit.notes == () for _, edit in synced)


def test_a_box_over_the_mouth_is_left_as_filmed_and_the_new_mouth_fades_around_it(
    footage: Path, voice_folder: Path
) -> None:
    results = sync(footage / "hard/derived/mouth_occluded_1s_to_2s.mp4", voice_folder, footage)
    noted = {note: [k for k, (_, edit) in enumerate(results) if note in edit.notes] for note in ("covered", "in-front")}
    assert noted["covered"] == list(range(25, 51))  # the box is drawn from 1 to 2 s, both ends in it
    assert set(noted["in-front"]) <= {24, 51}
    fading = {k: edit.patches[0].mask.max() for k, (_, edit) in enumerate(results) if "faded-covered" in edit.notes}
    assert list(fading) == [22, 23, 24, 51, 52, 53]
    np.testing.assert_allclose([fading[22], fading[23], fading[52], fading[53]], [0.75, 0.5, 0.5, 0.75], atol=0.02)
    assert all(not edit.patches for _, edit in results[25:51])
    assert all(edit.patches[0].mask.max() > 0.99 for _, edit in [*results[:22], *results[54:]])


def test_a_face_that_never_speaks_is_exit_three(footage: Path, tmp_path: Path) -> None:
    for name in ("silent_audio", "no_audio_track"):
        with pytest.raises(NoFaceError, match="no learnable speech"):
            learn_voice([footage / f"hard/derived/{name}.mp4"], tmp_path / name, SHORT)


def test_no_face_at_all_is_exit_three(footage: Path, tmp_path: Path) -> None:
    with pytest.raises(NoFaceError, match="no face"):
        make_voice([footage / "hard/clips/no_face.mp4"], tmp_path)
