"""The demo from script to page, with painted actors and engines that only lay a colour."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from shared.demo import footage, run, script
from shared.demo.cast import Cast
from shared.demo.options import DemoOptions
from shared.demo.run import run_demo
from shared.errors import ArtefactError, ConsentError, MediaError
from shared.face.landmarks import canonical_face
from shared.provenance.verify import verify
from shared.render import stage
from shared.store.artefact import artefact
from shared.store.weights import weights_folder
from tests.shared.demo.made import made_portrait

pytest.importorskip("py_nanotts", reason="py-nanotts has no build for this platform")
pytestmark = [pytest.mark.weights, pytest.mark.usefixtures("weights")]
SIZE = (160, 144)
MADE: list[str] = []


def seal(path: Path, module: str) -> None:
    with artefact(path, stage.load(f"{module}:KIND"), stage.load(f"{module}:SCHEMA"), "made", force=True):
        pass


def make_voice(clips: Sequence[Path], folder: Path, device: str, progress: Callable[..., None], *_: object) -> Path:
    assert [clip.name for clip in clips] == ["first.mp4"]
    MADE.append(f"voice on {device}")
    progress(1, 1, "learning")
    seal(folder / "voice", "lipsync.voice")
    return folder / "voice"


def make_model(clips: tuple[Path, Path], folder: Path, minutes: float, *_: object) -> Path:
    assert [clip.name for clip in clips] == ["first.mp4", "second.mp4"]
    MADE.append(f"model in {minutes:g} minutes")
    seal(folder / "swap", "faceswap.model")
    return folder / "swap"


@pytest.fixture
def painted_demo(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Small painted actors who say one sentence each; a cache of their own with the fetched weights."""
    fetched, cache = weights_folder().absolute(), tmp_path / "cache"
    cache.mkdir()
    (cache / "weights").symlink_to(fetched)
    monkeypatch.setenv("LIPSWAP_CACHE", str(cache))
    monkeypatch.setenv("LIPSWAP_CONFIG", str(tmp_path / "config"))
    canonical = canonical_face()
    actors = [made_portrait(canonical, (240, 216), seed) for seed in (1, 2)]
    cast = Cast(actors[0], actors[1], ({"one": 0.1}, {"one": 0.2}), 0.15)
    monkeypatch.setattr(run, "make_cast", lambda *_: cast)
    monkeypatch.setattr(footage, "SIZE", SIZE)
    monkeypatch.setattr("shared.demo.words.TARGET_SPEECH", "Before lunch, my brother gave me a cup of tea.")
    monkeypatch.setattr("shared.demo.words.NEW_SPEECH", "People never borrow a voice.")
    short = script.make_script(("Good morning, and welcome.",), ("Hello.",))
    monkeypatch.setattr(run, "make_script", lambda **_: short)
    here = "tests.shared.demo.test_run:"
    monkeypatch.setattr(run, "MAKE_VOICE", here + "make_voice")
    monkeypatch.setattr(run, "MAKE_MODEL", here + "make_model")
    for engine in ("swap", "sync"):
        monkeypatch.setitem(stage.OPENERS, engine, "tests.shared.render.made:paint")
        monkeypatch.setitem(stage.OPTIONS, engine, "tests.shared.render.made:PaintOptions")
    MADE.clear()
    return tmp_path / "demo"


def test_the_demo_films_renders_measures_and_shows_and_a_second_run_only_renders(painted_demo: Path) -> None:
    labels: list[str] = []
    report = run_demo(painted_demo, DemoOptions(), lambda *seen: labels.append(seen[2]))
    assert MADE == ["voice on auto", "model in 5 minutes"]
    for name in ("out.mp4", "sync_only.mp4", "compare.mp4", "contact_sheet.png", "report.json", "report.html"):
        assert (painted_demo / name).stat().st_size > 1000, name
    for name in ("out.mp4", "compare.mp4"):
        signed = verify(painted_demo / name)
        assert signed.state == "trusted"
        assert "Synthetic actors" in str(signed.consent)
    ceiling = next(row for row in report.rows if row.clip.startswith("as drawn"))
    changed = next(row for row in report.rows if row.clip.startswith("swap"))
    assert ceiling.aperture_r > 0.9
    assert ceiling.m_lmd_px == 0.0
    assert abs(ceiling.lag_ms) < 40
    assert changed.frames == ceiling.frames
    assert changed.with_face == 0  # painted over
    assert np.isnan(changed.aperture_r)
    assert np.isnan(changed.cosine_first)
    assert changed.psnr_outside_db > 35
    assert {label.split()[0] for label in labels} == {"[1/5]", "[2/5]", "[4/5]", "[5/5]"}
    stored = json.loads((painted_demo / "report.json").read_text())
    assert stored["cast"]["is_nobody"] is True
    first = (painted_demo / "footage" / "first.mp4").stat().st_mtime_ns

    said: list[str] = []
    run_demo(painted_demo, DemoOptions(train_minutes=2.0), say=said.append)
    assert MADE == ["voice on auto", "model in 5 minutes", "voice on auto"]  # the voice keeps itself, in its own folder
    assert (painted_demo / "footage" / "first.mp4").stat().st_mtime_ns == first
    assert sum("used again" in line for line in said) == 2


def test_a_face_that_is_still_somebody_is_called_an_animated_portrait() -> None:
    portrait = made_portrait(canonical_face(), (240, 216))
    known = Cast(portrait, portrait, ({"official": 0.5}, {"one": 0.2}), 0.15)
    assert not known.is_nobody
    facts = run._facts(known)
    assert str(facts["statement"]).startswith("Animated portraits")
    assert "official" in str(facts["statement"])
    assert facts["is_nobody"] is False


def test_a_folder_with_something_else_in_it_is_left_alone(painted_demo: Path) -> None:
    (painted_demo / "footage").mkdir(parents=True)
    (painted_demo / "footage" / "mine.txt").write_text("keep me")
    with pytest.raises(ArtefactError, match="not an artefact"):
        run_demo(painted_demo, DemoOptions())
    assert (painted_demo / "footage" / "mine.txt").read_text() == "keep me"


def test_no_clip_is_made_without_a_statement(painted_demo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "CONSENT", " ")
    with pytest.raises(ConsentError):
        run_demo(painted_demo, DemoOptions())
    assert not (painted_demo / "out.mp4").exists()


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(MediaError, match="making the demo's folder"):
        run_demo(tmp_path / "file" / "demo", DemoOptions())
