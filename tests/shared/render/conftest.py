"""Folders of their own for each test, a made clip, made faces, and a job that paints them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from shared.provenance.consent import read_consent
from shared.render import once, stage
from shared.render.job import RenderJob, StageRequest
from shared.store.weights import weights_folder
from tests.shared.render.made import FRAMES, LOSSLESS, WITHOUT_FACE, MadeFaces, PaintOptions, face, make_clip


@pytest.fixture(autouse=True)
def own_folders(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("user")
    fetched = weights_folder()
    (folder / "cache").mkdir()
    if fetched.is_dir():
        (folder / "cache" / "weights").symlink_to(fetched.absolute())
    monkeypatch.setenv("LIPSWAP_CONFIG", str(folder / "config"))
    monkeypatch.setenv("LIPSWAP_CACHE", str(folder / "cache"))
    return folder


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return make_clip(tmp_path / "clip.mp4")


@pytest.fixture
def made_faces(monkeypatch: pytest.MonkeyPatch) -> Callable[[MadeFaces | None], None]:
    """Let the analysis find what a test says: by default one face, absent in a few frames."""

    def use(faces: MadeFaces | None = None) -> None:
        usual = MadeFaces({index: (face(),) for index in range(FRAMES) if index not in WITHOUT_FACE})
        monkeypatch.setattr(once, "analyse", lambda *_: faces or usual)

    use(None)
    here = "tests.shared.render.made:"
    for engine in ("swap", "sync"):
        monkeypatch.setitem(stage.OPENERS, engine, here + "paint")
        monkeypatch.setitem(stage.OPTIONS, engine, here + "PaintOptions")
        monkeypatch.setitem(stage.ARTEFACTS, engine, (stage.ARTEFACTS[engine][0], here.removesuffix(":")))
        monkeypatch.setitem(stage.CHECKS, engine, here + "open_paint")
    return use


@pytest.fixture
def job(clip: Path, tmp_path: Path, made_faces: object) -> RenderJob:
    assert made_faces
    consent = read_consent("I agree")
    return RenderJob(clip, tmp_path / "out.mkv", consent, (StageRequest("swap", PaintOptions()),), encode=LOSSLESS)
